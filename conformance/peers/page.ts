import type { Report, Result } from '../src/report.ts'
import { reporters } from '../src/reporters/index.ts'
import type { Peer } from './peers.ts'
import { absent } from './published.ts'

/** What came of one peer: a report, or why there is none. */
export interface Outcome {
  readonly peer: Peer
  readonly report?: Report
  readonly failure?: string
}

/** What was sent and received is on the HTML page: here it would be most of a megabyte. */
const withoutEvidence = (result: Result): Result => ({ ...result, transcript: '', curl: '' })

/** The room of the page is for what is judged: whoever wants the rest runs the suite. */
const withEvidenceOfFailures = (result: Result): Result =>
  ['fail', 'not-set-up'].includes(result.verdict) ? result : withoutEvidence(result)

function reportsOf(outcomes: readonly Outcome[], change: (result: Result) => Result): Report[] {
  const reports = outcomes.flatMap(({ report }) => (report === undefined ? [] : [report]))
  return reports.map((report) => ({ ...report, results: report.results.map(change) }))
}

export function toHtml(outcomes: readonly Outcome[]): string {
  return reporters.html(reportsOf(outcomes, withEvidenceOfFailures))
}

export function toMarkdown(outcomes: readonly Outcome[]): string {
  const reports = reportsOf(outcomes, withoutEvidence)
  return [
    '# The suite against what serves MCP over HTTP',
    '',
    'Made by `pnpm conformance:peers` on loopback, one after the other. Those of this repository, of the SDKs and `@hono/mcp`',
    'have the fixture of this suite behind them and are checked with `--abuse`; all others are installed from the npm registry',
    'with these versions, started as their README says and checked with the default flags: servers with their own tools,',
    'bridges with `server-everything` behind them, frameworks with three small tools (`conformance/peers/programs`).',
    `Node ${process.version}, ${reports[0]?.startedAt.slice(0, 10)}. The [HTML page](conformance-peers.html) shows for each`,
    'failure what was sent and received, and how to repeat it with curl.',
    '',
    '| server | made of |',
    '|---|---|',
    ...outcomes.map(({ peer }) => `| ${peer.name} | ${peer.made} |`),
    '',
    ...toLosses(outcomes),
    'Origin checks are off by default in the SDKs and in @hono/mcp: whoever turns them on meets the `origin/` rows. Bodies over',
    "100 KiB are refused by Express's parser, which the SDK's `createMcpExpressApp()` puts in front.",
    '',
    // Its own title would be a second one.
    reporters.markdown(reports).replace(/^# .*\n\n/, ''),
  ].join('\n')
}

/** What there is no report of, or only a part of one. */
function toLosses(outcomes: readonly Outcome[]): string[] {
  const lines = outcomes.flatMap(({ peer, report, failure }) => {
    if (report === undefined) return [`- ${peer.name} could not be checked: ${inLine(failure ?? '')}`]
    return report.incomplete === '' ? [] : [`- ${peer.name} was checked in part: ${inLine(report.incomplete)}`]
  })
  const left = absent.map(({ name, reason }) => `- ${name} ${reason}.`)
  return ['Not compared, or not to the end:', '', ...lines, ...left, '']
}

function inLine(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[<>|`]/g, ' ')
    .slice(0, 400)
}
