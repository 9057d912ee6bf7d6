// Writes docs/conformance.md from the requirements themselves. With --check it writes nothing, and fails when the page is
// not what would be written.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { areaOf } from '../conformance/src/report.ts'
import { groupBy } from '../conformance/src/reporters/areas.ts'
import { codeSpan, escapeMarkdown, toLink, toTable } from '../conformance/src/reporters/markdown-text.ts'
import type { Requirement } from '../conformance/src/requirement.ts'
import { requirements } from '../conformance/src/requirements/index.ts'
import { unobservable } from '../conformance/src/requirements/unobservable.ts'
import { roleExamples, roleNames, roles } from '../conformance/src/roles.ts'
import { toSpecUrl } from '../conformance/src/spec-url.ts'
import { storeRequirements } from '../conformance/src/store/store-requirements.ts'

const page = fileURLToPath(new URL('../docs/conformance.md', import.meta.url))

function toPage(): string {
  const areas = groupBy(requirements, ({ id }) => areaOf(id))
  const parts = [
    intro,
    `## Requirements\n\n${requirements.length} requirements, by the first part of their ids. Ids never change.`,
    ...[...areas].flatMap(([area, group]) => [`### ${area}`, toTable(header, group.map(toRow))]),
    '## Roles of tools',
    'What a tool must do to play a role, what a call of it looks like, and the tools that play it when they are found. Each tool ' +
      "that plays a role is called once before the checks, those of the suite's own fixture excepted: one that does something " +
      "else is told, and what needs it is not testable. A name that is none of the server's tools ends the run with 2.",
    toTable(['role', 'the tool', 'a call', 'found by name'], roleNames.map(toRoleRow)),
    '## What HTTP alone does not show',
    'Rows of the catalogue without a check, and why.',
    toTable(
      ['row', 'why'],
      unobservable.map(({ row, reason }) => [row, escapeMarkdown(reason)]),
    ),
    '## Stores',
    'What `describeStore()` holds a session store, event log or message bus to.',
    toTable(
      ['id', 'what it says', 'needs'],
      storeRequirements.map(({ id, title, needs }) => [
        codeSpan(id),
        escapeMarkdown(title),
        needs.map(codeSpan).join(', '),
      ]),
    ),
  ]
  return `${parts.join('\n\n')}\n`
}

const header = ['id', 'level and clause', 'what it says', 'needs', 'runs with']

function toRow({ id, level, spec, title, because, needs, abuse, slow, ...rest }: Requirement): string[] {
  const says = [title, because ?? ''].filter((text) => text !== '').map(escapeMarkdown)
  const flags = [...(abuse ? ['--abuse'] : []), ...(slow ? ['--slow'] : [])]
  return [
    codeSpan(id),
    `${level}<br>${toLink(escapeMarkdown(spec), toSpecUrl(spec))}`,
    [...says, ...toRevisions(rest)].join('<br>'),
    needs.map(codeSpan).join(', '),
    flags.map(codeSpan).join(', '),
  ]
}

function toRevisions({ era, since, until }: Pick<Requirement, 'era' | 'since' | 'until'>): string[] {
  if (era === 'modern') return ['Revision 2026-07-28.']
  if (since !== undefined && since === until) return [`Revision ${since} only.`]
  const first = since === undefined ? [] : [`Since ${since}.`]
  return until === undefined ? first : [...first, `Up to ${until}.`]
}

function toRoleRow(role: (typeof roleNames)[number]): string[] {
  const { does, tools } = roles[role]
  const found = tools.map(({ tool }) => codeSpan(tool)).join(', ')
  return [codeSpan(role), escapeMarkdown(does), escapeMarkdown(roleExamples[role]), found]
}

const intro = `# Conformance

<!-- Written by scripts/conformance-docs.ts: do not edit. -->

What \`@throughline/mcp-http-conformance\` checks of an MCP server that speaks Streamable HTTP, in whatever language it is
written. Each requirement has an id, a level, the clause it follows from, and a check that sends requests and reads the wire.

\`\`\`sh
npx @throughline/mcp-http-conformance http://127.0.0.1:3000/mcp
\`\`\`

Most checks need only \`ping\` and \`tools/list\`. What the server offers (sessions, a stream on GET, resumption, tools) is found
out first. What it does not offer makes a check "not testable", never a failure.

## Flags

| flag | what it does |
|---|---|
| \`--tool ROLE=NAME\` | The server's tool for a [role](#roles-of-tools). Arguments it needs follow as JSON: \`--tool 'slow=wait {"unit":"ms"}'\`. |
| \`--profile NAME\` | Says what the server is (\`resumable\`, \`sessions\`, \`stateless\`, \`json-only\`, \`modern\`, \`dual\`) instead of finding it out. What the profile promises and the server lacks then fails. |
| \`--revision REVISION\` | Opens sessions with this revision. The newest that the server speaks by default. |
| \`--token TOKEN\` | Bearer token for every request; \`@FILE\` reads it from a file. \`--other-token\`, \`--expired-token\`, \`--weak-token\` and \`--foreign-token\` add tokens for the checks of \`auth/\`. |
| \`--header "NAME: VALUE"\` | Header for every request. |
| \`--second-url URL\` | Another node of the same deployment. |
| \`--slow\` | Also runs checks that wait for longer than 5 seconds. |
| \`--abuse\` | Also runs checks that could harm a server that others use: floods, oversize bodies, slow senders, hundreds of sessions. |
| \`--strict\` | A SHOULD that is not met fails the run. |
| \`--only IDS\`, \`--skip IDS\` | Ids, or areas that end in a slash: \`--only session/,origin/null-is-refused\`. |
| \`--timeout TIME\` | Limit for the whole run: 60 s by default, 5 min with \`--slow\` or \`--abuse\`. Where the way to the server is long, 2,500 round trips come on top. What has not run by then is "not run": some checks of every area. |
| \`--reporter NAME\` | \`terminal\`, \`json\`, \`junit\`, \`tap\`, \`markdown\` or \`html\`. |
| \`--output FILE\` | Writes the report to a file, and a summary to the terminal. |
| \`--baseline FILE\` | Known failures. |
| \`--verbose\` | Shows what was sent and received. |

Several URLs, or saved JSON reports, give one report of all: \`html\` and \`markdown\` show a matrix of requirements and servers.

| exit code | when |
|---|---|
| 0 | Nothing failed. |
| 1 | A requirement is not met, an entry of the baseline is stale, or the run is not complete: it did not come to its end, or checks could not be set up. |
| 2 | There is a mistake on the command line. |
| 3 | No MCP server answers at the URL. |

A baseline is YAML that maps ids to reasons. What it lists does not fail the run; an entry whose requirement is met by now does,
so that the list only gets shorter:

\`\`\`yaml
session/unknown-id-is-404: the framework answers 400, fixed in its next major version
\`\`\`

## Levels and verdicts

| level | where it comes from | when it is not met |
|---|---|---|
| \`MUST\`, \`MUST NOT\` | The specification says it of the server. | \`fail\` |
| \`RFC-MUST\` | The RFC that the transport builds on says it. | \`fail\` |
| \`dMUST\` | The MUST is on the client or on the format, and the server has one sane reaction. Why it follows is said with it. | \`fail\` |
| \`SHOULD\`, \`SHOULD NOT\` | The specification recommends it. | \`warn\`; a failure with \`--strict\` |
| \`HARD\` | Robustness, not normative. | \`advice\` |
| \`MAY\` | The specification allows it. | \`info\` |

\`pass\` says that it is met. Three verdicts say that it was not judged:

- \`not-set-up\`: no session or stream opened for the check, or the call that it is about could not be begun. One look at the server
  follows: when it opens no sessions any more, the run ends and says since when.
- \`not-testable\`: the server does not offer what the check needs, or the clause is not about servers like this one.
- \`not-run\`: it was not asked for (\`--slow\`, \`--abuse\`), took longer than a check may, or the run ended before. A server that answers
  429 or 503 is asked again after its \`Retry-After\`, by fewer checks at once; where that does not help the run is "rate-limited".

## What a run does to a server

It opens sessions and ends them, lists tools, calls those that play a role, and sends requests with mistakes in them. What could harm a
server that others use runs only with \`--abuse\`, last and one at a time: ids and names made to break software, floods, oversize bodies,
slow senders. After each of these one looks whether the server still works: if not, that check has failed, whatever it was to show.`

/** The page, and what to do when it is not current. */
function main(isCheck: boolean): number {
  const text = toPage()
  if (!isCheck) {
    writeFileSync(page, text)
    return 0
  }
  const isCurrent = existsSync(page) && readFileSync(page, 'utf8') === text
  const advice = 'docs/conformance.md is not what the requirements say: run tsx scripts/conformance-docs.ts'
  console.log(isCurrent ? '✓ docs/conformance.md is current' : `✗ ${advice}`)
  return isCurrent ? 0 : 1
}

process.exitCode = main(process.argv.includes('--check'))
