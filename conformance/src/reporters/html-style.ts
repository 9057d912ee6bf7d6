/** Colours of verdicts are pairs that keep a contrast of 4.5:1 in both schemes. */
export const style = `
:root { color-scheme: light dark;
  --page: #f6f7f9; --card: #fff; --line: #dfe3e8; --text: #1b2028; --soft: #59636f; --link: #1553b7; --code: #f1f3f6;
  --fail: #b3141d; --fail-bg: #fde7e7; --warn: #7d4d00; --warn-bg: #fff0cf; --advice: #5b3aa6; --advice-bg: #efe9fc;
  --info: #0b5a7d; --info-bg: #e0f2fa; --pass: #17663a; --pass-bg: #e2f5e8; --none: #59636f; --none-bg: #eceff2 }
@media (prefers-color-scheme: dark) { :root {
  --page: #12151a; --card: #1a1f26; --line: #2f3640; --text: #e6e9ee; --soft: #9da7b3; --link: #8ab4f8; --code: #11151b;
  --fail: #ff9d9d; --fail-bg: #4a1b20; --warn: #f3c463; --warn-bg: #43320f; --advice: #c6b0ff; --advice-bg: #33285a;
  --info: #86cdf0; --info-bg: #123a4c; --pass: #7fd8a0; --pass-bg: #163a26; --none: #9da7b3; --none-bg: #262c34 } }
* { box-sizing: border-box }
[hidden] { display: none !important }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif }
.top, main, footer { max-width: 1280px; margin: 0 auto; padding: 0 24px }
.top { padding-top: 40px }
.kicker { margin: 0; color: var(--soft); font-weight: 600; letter-spacing: .02em }
h1 { margin: 0; font-size: 34px; line-height: 1.2; letter-spacing: -.02em }
.lead { margin: 8px 0 24px; max-width: 70ch; color: var(--soft) }
a { color: var(--link); text-decoration: none }
a:hover { text-decoration: underline }
code, pre, .url { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .87em }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.v, .sign, .pill, .bar i { --c: var(--none); --b: var(--none-bg) }
.fail { --c: var(--fail); --b: var(--fail-bg) } .warn { --c: var(--warn); --b: var(--warn-bg) }
.advice { --c: var(--advice); --b: var(--advice-bg) } .info { --c: var(--info); --b: var(--info-bg) }
.not-set-up { --c: var(--warn); --b: var(--warn-bg) } .pass { --c: var(--pass); --b: var(--pass-bg) }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 290px), 1fr)); gap: 16px }
.card { padding: 20px; background: var(--card); border: 1px solid var(--line); border-radius: 12px; min-width: 0 }
.card h2 { display: flex; gap: 10px; align-items: center; margin: 0; font-size: 18px; line-height: 1.3; overflow-wrap: anywhere }
.card p { margin: 10px 0 0 }
.card .url { margin-top: 4px; color: var(--soft); overflow-wrap: anywhere }
.number { flex: none; display: inline-grid; place-items: center; width: 22px; height: 22px; border-radius: 50%;
  background: var(--text); color: var(--card); font-size: 12px; font-weight: 700 }
.bar { display: flex; gap: 2px; height: 8px; margin-top: 14px; border-radius: 4px; overflow: hidden }
.bar i { flex: 1 1 0; min-width: 3px; background: var(--c) }
.bar .not-testable, .bar .not-run { background: var(--line) }
.counts, .legend { display: flex; flex-wrap: wrap; gap: 6px 16px; margin: 14px 0 0; padding: 0; list-style: none }
.counts li, .legend li { display: flex; gap: 6px; align-items: center }
.counts b { font-variant-numeric: tabular-nums }
.sign { flex: none; display: inline-grid; place-items: center; width: 20px; height: 20px; border-radius: 6px; background: var(--b);
  color: var(--c); font-size: 12px; font-weight: 700 }
.legend { margin: 12px 0 16px; color: var(--soft); font-size: 13px }
.legend b { color: var(--text); font-weight: 600 }
.stopped { color: var(--fail); font-weight: 600 }
.causes h2 { margin: 32px 0 8px; font-size: 20px } .causes h3 { display: flex; gap: 10px; margin: 18px 0 8px; font-size: 16px }
.cause { margin: 0 0 8px; padding: 12px 16px; background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--fail);
  border-radius: 8px } .cause summary { color: inherit } .much { color: var(--soft); font-size: 13px }
.todo { display: block; margin-top: 4px } .cause ul { margin: 10px 0 0; padding: 0; list-style: none }
.cause li { display: flex; gap: 8px; align-items: center; padding: 2px 0; overflow-wrap: anywhere }
summary { cursor: pointer; color: var(--link) }
.card details { margin-top: 10px }
dl { display: grid; grid-template-columns: auto 1fr; gap: 4px 12px; margin: 10px 0 0; font-size: 13px }
dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
.filters { display: flex; flex-wrap: wrap; gap: 10px; align-items: center; margin: 32px 0 0 }
fieldset { display: flex; flex-wrap: wrap; gap: 6px; margin: 0; padding: 0; border: 0; min-width: 0 }
.pill, select, [type=search] { min-height: 34px; padding: 0 12px; background: var(--card); color: var(--text);
  border: 1px solid var(--line); border-radius: 17px; font: inherit; font-size: 14px }
.pill { display: inline-flex; gap: 6px; align-items: center; cursor: pointer; position: relative }
.pill span { color: var(--c); font-weight: 700 }
.pill input { position: absolute; inset: 0; margin: 0; opacity: 0; cursor: pointer }
.pill:has(:checked) { background: var(--b); border-color: var(--c); color: var(--c); font-weight: 600 }
select, [type=search] { border-radius: 8px }
.check { display: inline-flex; gap: 6px; align-items: center; font-size: 14px }
output { margin-left: auto; color: var(--soft); font-size: 14px; font-variant-numeric: tabular-nums }
:focus-visible, .pill:has(:focus-visible) { outline: 2px solid var(--link); outline-offset: 2px }
table { width: 100%; border-collapse: separate; border-spacing: 0; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px }
thead th { position: sticky; top: 0; z-index: 2; padding: 12px 8px; background: var(--card); border-bottom: 1px solid var(--line);
  font-size: 13px; line-height: 1.3; text-align: center; vertical-align: bottom; overflow-wrap: anywhere }
thead th:first-child { border-top-left-radius: 12px } thead th:last-child { border-top-right-radius: 12px }
thead th .name { display: block; margin-top: 6px }
thead .what, tbody th { padding-left: 20px; text-align: left }
tbody th, tbody td { border-bottom: 1px solid var(--line) }
tbody:last-child tr:last-child > * { border-bottom: 0 }
tbody th { padding-top: 10px; padding-bottom: 10px; padding-right: 12px; font-weight: 400; overflow-wrap: anywhere }
tbody td { padding: 6px; text-align: center; width: 132px }
.many tbody td { width: 88px }
.area th { padding-top: 26px; font-size: 16px; font-weight: 650 }
.title { display: block }
.about { display: block; margin-top: 2px; color: var(--soft); font-size: 13px }
.about a { color: var(--soft); text-decoration: underline; text-decoration-color: var(--line); text-underline-offset: 3px }
.level { padding: 1px 6px; border: 1px solid var(--line); border-radius: 4px; font-size: 11px; font-weight: 600; white-space: nowrap }
tr[data-v]:hover > * { background: color-mix(in srgb, var(--link) 4%, var(--card)) }
.v { display: inline-flex; gap: 6px; align-items: center; justify-content: center; min-width: 32px; min-height: 30px; padding: 0 10px;
  border: 1px solid transparent; border-radius: 8px; background: var(--b); color: var(--c); font: inherit; font-size: 13px;
  font-weight: 600; white-space: nowrap }
button.v { cursor: pointer } button.v:hover { border-color: var(--c) }
td .v.pass, td .v.not-testable, td .v.not-run { background: none; font-weight: 400 }
.many td .word { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
.none { padding: 32px; text-align: center; color: var(--soft) }
.panel { position: fixed; inset: 0 0 0 auto; width: min(720px, 100vw); height: 100dvh; max-height: none; margin: 0; padding: 28px;
  overflow: auto; border: 0; border-left: 1px solid var(--line); background: var(--card); color: var(--text);
  box-shadow: 0 0 60px #0006 }
.panel::backdrop { background: #0005 }
.panel h2 { display: flex; flex-wrap: wrap; gap: 10px; align-items: center; margin: 0 40px 12px 0; font-size: 17px; overflow-wrap: anywhere }
.panel h3 { margin: 24px 0 8px; font-size: 14px }
.panel p { margin: 8px 0 } .panel .title { font-size: 17px } .where { color: var(--soft); font-size: 13px; overflow-wrap: anywhere }
.message { white-space: pre-wrap; overflow-wrap: anywhere; font-weight: 600 }
.panel pre { margin: 0; padding: 14px; overflow: auto; max-height: 60vh; background: var(--code); border: 1px solid var(--line);
  border-radius: 8px; line-height: 1.6; white-space: pre-wrap; overflow-wrap: anywhere }
.close { position: absolute; top: 20px; right: 20px; width: 36px; height: 36px; border: 1px solid var(--line); border-radius: 8px;
  background: none; color: inherit; font: 20px/1 system-ui, sans-serif; cursor: pointer }
footer { padding-top: 24px; padding-bottom: 48px; color: var(--soft); font-size: 13px }
@media (max-width: 760px) {
  .top, main, footer { padding-left: 14px; padding-right: 14px }
  .top { padding-top: 24px } h1 { font-size: 28px }
  .filters > label:not(.check) { flex: 1 1 40% } select, [type=search] { width: 100% }
  thead th .name, td .word { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
  thead th { padding: 8px 2px } thead .what, tbody th { padding-left: 12px; padding-right: 6px }
  tbody td, .many tbody td { width: 42px; padding: 4px 2px } td .v { padding: 0 }
  .scroll.many { overflow: auto; max-height: 85dvh; border-radius: 12px } .many .what, .many tr[data-v] th { position: sticky; left: 0; z-index: 1; min-width: 190px; background: var(--card) }
  .many .what { z-index: 3 } .many .area span { position: sticky; left: 12px }
  .about a { display: none } .panel { padding: 20px }
}
@media print { .filters, .close { display: none !important } thead th { position: static } }
`
