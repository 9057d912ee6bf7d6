// Runs the suite against the adapters of this repository and what else serves MCP over HTTP, each in turn, and writes
// docs/conformance-peers.md and docs/conformance-peers.html. `pnpm conformance:peers`
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Report } from '../src/report.ts'
import { reporters } from '../src/reporters/index.ts'
import { runConformance } from '../src/run-conformance.ts'
import { type Peer, peers } from './peers.ts'

const docs = new URL('../../docs/', import.meta.url)

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Some servers show the paths of the machine they run on, whole or cut off. Those are nobody's business. */
function withoutPaths(report: Report): Report {
  let text = JSON.stringify(report).replaceAll(root, '…/')
  for (let length = root.length - 1; length > 2; length--) text = text.replaceAll(`${root.slice(0, length)}…`, '…')
  return JSON.parse(text)
}

async function check(peer: Peer): Promise<Report> {
  const server = await peer.start()
  try {
    const report = await runConformance({ url: server.url, abuse: true, timeoutMs: 180_000 })
    const { fail, warn, advice, pass } = report.counts
    const seconds = Math.round(report.durationMs / 1_000)
    console.log(`${peer.name}: ${fail} failed, ${warn} warnings, ${advice} advice, ${pass} passed (${seconds} s)`)
    // The port is of this run only; the name is what a reader looks for.
    const { target, ...rest } = withoutPaths(report)
    return { ...rest, target: { ...target, url: peer.name, server: peer.name } }
  } finally {
    await server.close()
  }
}

function toPage(reports: readonly Report[]): string {
  const made = peers.map(({ name, made }) => `| ${name} | ${made} |`)
  // What was sent and received is on the HTML page: here it would be most of a megabyte.
  const brief = reports.map((report) => ({
    ...report,
    results: report.results.map((result) => ({ ...result, transcript: '', curl: '' })),
  }))
  return [
    '# The suite against what serves MCP over HTTP',
    '',
    'Made by `pnpm conformance:peers`: each server with the fixture of this suite behind it, as its documentation mounts it, on',
    `loopback, one after the other, with \`--abuse\`. Node ${process.version}, ${reports[0]?.startedAt.slice(0, 10)}. The`,
    '[HTML page](conformance-peers.html) shows for each cell what was sent and received, and how to repeat it with curl.',
    '',
    '| server | made of |',
    '|---|---|',
    ...made,
    '',
    'Origin checks are off by default in the SDKs and in @hono/mcp: whoever turns them on meets the `origin/` rows. Bodies over',
    "100 KiB are refused by Express's parser, which the SDK's `createMcpExpressApp()` puts in front.",
    '',
    // Its own title would be a second one.
    reporters.markdown(brief).replace(/^# .*\n\n/, ''),
  ].join('\n')
}

const wanted = process.argv.slice(2)
const chosen = peers.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
if (chosen.length === 0) {
  console.error(`Expected names of ${peers.map(({ name }) => `"${name}"`).join(', ')}, got ${wanted.join(', ')}`)
  process.exit(2)
}
const reports: Report[] = []
for (const peer of chosen) reports.push(await check(peer))
writeFileSync(new URL('conformance-peers.md', docs), toPage(reports))
writeFileSync(new URL('conformance-peers.html', docs), reporters.html(reports))
// Peers leave timers and sockets behind.
process.exit(0)
