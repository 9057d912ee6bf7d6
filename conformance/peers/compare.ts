// Runs the suite against the adapters of this repository and what else serves MCP over HTTP, each in turn, and writes
// docs/conformance-peers.md and docs/conformance-peers.html. `pnpm conformance:peers`, with names for some of them alone;
// `--reports FOLDER` keeps what each run found as JSON.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Report } from '../src/report.ts'
import { runConformance } from '../src/run-conformance.ts'
import { type Outcome, toHtml, toMarkdown } from './page.ts'
import { type Peer, peers } from './peers.ts'
import { withoutPaths } from './without-paths.ts'

const docs = new URL('../../docs/', import.meta.url)

async function check(peer: Peer): Promise<Outcome> {
  const startedAt = performance.now()
  const outcome = await checkOrTell(peer)
  const seconds = Math.round((performance.now() - startedAt) / 1_000)
  console.log(`${peer.name}: ${summarize(outcome)} (${seconds} s)`)
  return outcome
}

/** What cannot be installed, started or talked to is told, and the next one goes on. */
async function checkOrTell(peer: Peer): Promise<Outcome> {
  try {
    const server = await peer.start()
    try {
      return {
        peer,
        report: named(peer, await runConformance({ url: server.url, timeoutMs: 300_000, ...peer.options })),
      }
    } finally {
      await server.close()
    }
  } catch (error) {
    return { peer, failure: withoutPaths(error instanceof Error ? error.message : String(error)) }
  }
}

/** The port is of this run only; the name is what a reader looks for. */
function named({ name }: Peer, report: Report): Report {
  const { target, ...rest } = withoutPaths(report)
  return { ...rest, target: { ...target, url: name, server: name } }
}

function summarize({ report, failure }: Outcome): string {
  if (report === undefined) return `could not be checked: ${failure}`
  const { fail, warn, advice, pass, 'not-set-up': unset } = report.counts
  const counts = `${fail} failed, ${unset} not set up, ${warn} warnings, ${advice} advice, ${pass} passed`
  return report.incomplete === '' ? counts : `${counts}; ${report.incomplete}`
}

function keep({ peer, report }: Outcome, folder: string): void {
  if (report === undefined) return
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${peer.name.replace(/[^\w.-]+/g, '-')}.json`), JSON.stringify(report, undefined, 1))
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { reports: { type: 'string' } } })
const chosen = peers.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
if (chosen.length === 0) {
  console.error(`Expected names of ${peers.map(({ name }) => `"${name}"`).join(', ')}, got ${positionals.join(', ')}`)
  process.exit(2)
}
const outcomes: Outcome[] = []
for (const peer of chosen) {
  const outcome = await check(peer)
  outcomes.push(outcome)
  if (values.reports !== undefined) keep(outcome, values.reports)
}
writeFileSync(new URL('conformance-peers.md', docs), toMarkdown(outcomes))
writeFileSync(new URL('conformance-peers.html', docs), toHtml(outcomes))
// Peers leave timers and sockets behind.
process.exit(0)
