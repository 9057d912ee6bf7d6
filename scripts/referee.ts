/**
 * Runs the official conformance suite, both published generations of it, against the everything server on every
 * adapter: on one node, or on several behind a front without affinity. Exits 0 only when every check passed without a
 * warning.
 */
import { parseArgs } from 'node:util'
import { adapterNames } from '../conformance/mounts/index.ts'
import { type RunningServer, startEverything } from './referee-child.ts'
import { startNodes } from './referee-nodes.ts'
import { runSuite, type Shape, type Suite, suites, type Verdict } from './referee-suite.ts'

const usage = `Usage: pnpm referee [--adapter ${adapterNames.join('|')}|all] [--response sse|auto] [--nodes N] [--url URL]`

interface Options {
  readonly adapters: readonly string[]
  readonly shape: Shape
  readonly nodes: number
  /** A server that runs already, to be judged instead. */
  readonly url: string | undefined
}

function readOptions(): Options {
  const string = { type: 'string' } as const
  const { values } = parseArgs({ options: { adapter: string, response: string, nodes: string, url: string } })
  // With `sse` every check runs.
  const { adapter = 'all', response = 'sse', nodes = '1', url } = values
  const names: readonly string[] = [...adapterNames, 'all']
  if (!names.includes(adapter))
    throw new TypeError(`Expected --adapter to be one of ${names.join(', ')}, got "${adapter}"`)
  if (response !== 'sse' && response !== 'auto')
    throw new TypeError(`Expected --response to be sse or auto, got "${response}"`)
  if (!/^[1-9]$/.test(nodes)) throw new TypeError(`Expected --nodes to be a number from 1 to 9, got "${nodes}"`)
  return { adapters: adapter === 'all' ? adapterNames : [adapter], shape: response, nodes: Number(nodes), url }
}

function readOptionsOrExit(): Options {
  try {
    return readOptions()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error(usage)
    process.exit(2)
  }
}

function print(name: string, suite: Suite, verdict: Verdict): void {
  const { passed, total, warnings, findings, trouble } = verdict
  const ran = `${suite.version} ${suite.args.join(' ')}`
  console.log(`${name.padEnd(8)}  ${ran}  ${passed} of ${total} checks passed, ${warnings} warnings`)
  for (const { status, scenario, id, message } of findings) console.log(`  ${status}  ${scenario}  ${id}  ${message}`)
  for (const text of trouble) console.log(`  ${text.replaceAll('\n', '\n  ')}`)
}

/** Runs every suite against one server. */
async function judge(name: string, server: RunningServer, shape: Shape): Promise<boolean> {
  let isClean = true
  for (const suite of suites) {
    const verdict = await runSuite(suite, server.url, shape)
    print(name, suite, verdict)
    if (verdict.findings.length > 0 || verdict.trouble.length > 0) isClean = false
  }
  const trouble = await server.stop()
  if (trouble === undefined) return isClean
  console.log(`  ${trouble}`)
  return false
}

async function main({ adapters, shape, nodes, url }: Options): Promise<boolean> {
  if (url !== undefined) return judge('url', { url, stop: async () => undefined }, shape)
  let isClean = true
  for (const adapter of adapters) {
    const server = nodes === 1 ? startEverything(adapter, shape) : startNodes(nodes, adapter, shape)
    const name = nodes === 1 ? adapter : `${adapter} on ${nodes} nodes`
    isClean = (await judge(name, await server, shape)) && isClean
  }
  return isClean
}

main(readOptionsOrExit()).then(
  (isClean) => process.exit(isClean ? 0 : 1),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
