// Three nodes on one Redis, behind an nginx that knows no sessions. Clients work while the nodes are killed.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { drive } from './drive.ts'
import { isInstalled, Node, startNginx, startRedis } from './processes.ts'
import { Tally } from './tally.ts'

const usage = `Usage: pnpm start:cluster [--minutes N] [--deploy]

Starts redis-server, three nodes and nginx on free ports of 127.0.0.1, and has official clients call tools and listen
while one node after the other is killed, or with --deploy ended with SIGTERM and started again. Ends by itself, after
half a minute or --minutes N.`

interface Arguments {
  readonly minutes: number
  readonly signal: 'SIGKILL' | 'SIGTERM'
}

const clientCount = 6
/** Time, in milliseconds, between two ends, and how long a node is away. */
const betweenEndsMs = 3_500
const awayMs = 1_000

const packages = { 'redis-server': 'redis-server', nginx: 'nginx-light' }

function readArguments(): Arguments {
  const options = { minutes: { type: 'string', default: '0.5' }, deploy: { type: 'boolean', default: false } } as const
  const { values } = parseArgs({ options })
  const minutes = Number(values.minutes)
  if (minutes > 0 && minutes <= 1_440) return { minutes, signal: values.deploy ? 'SIGTERM' : 'SIGKILL' }
  throw new TypeError(`Expected --minutes to be a number above 0, at most 1440, got "${values.minutes}"`)
}

function readArgumentsOrExit(): Arguments {
  try {
    return readArguments()
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`)
    process.exit(2)
  }
}

function exitWithoutPrograms(): void {
  for (const [program, name] of Object.entries(packages)) {
    if (isInstalled(program)) continue
    console.error(
      `${program} is not installed: get it with "apt-get install ${name}" or "brew install ${name.split('-')[0]}".`,
    )
    process.exit(1)
  }
}

async function endInTurn(
  nodes: readonly Node[],
  by: Arguments['signal'],
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  let ends = 0
  while (!signal.aborted) {
    // The last one to be away comes back while there is still something to be seen of it.
    await sleep(betweenEndsMs, undefined, { signal }).catch(() => undefined)
    const node = nodes[ends % nodes.length]
    if (signal.aborted || !node) break
    ends++
    await node.end(by)
    log(`${node.name} was ${by === 'SIGKILL' ? 'killed' : 'ended'}`)
    await sleep(awayMs)
    await node.start()
    log(`${node.name} is back`)
  }
  return ends
}

async function main({ minutes, signal: by }: Arguments): Promise<boolean> {
  const redisUrl = await startRedis()
  const nodes = await Promise.all(['node 1', 'node 2', 'node 3'].map((name) => Node.start(name, redisUrl)))
  const url = await startNginx(nodes)
  console.log(`${url} is nginx, in front of three nodes on ${redisUrl}; ${clientCount} clients call and listen`)
  console.log(
    `http://127.0.0.1:${nodes[0]?.port}/inspector shows the sessions, calls and streams, as node 1 sees them\n`,
  )
  const since = performance.now()
  const log = (line: string) =>
    console.log(`${((performance.now() - since) / 1_000).toFixed(1).padStart(6)} s  ${line}`)
  const signal = AbortSignal.timeout(minutes * 60_000)
  const tally = new Tally()
  const clients = Array.from({ length: clientCount }, () => drive(url, tally, signal))
  const [ends] = await Promise.all([endInTurn(nodes, by, log, signal), ...clients])
  const what = by === 'SIGKILL' ? 'nodes killed' : 'nodes ended with SIGTERM'
  console.log(`\n${what.padEnd(50)}${String(ends).padStart(8)}\n${tally.toTable()}`)
  return tally.isClean
}

// Ending runs what ends the programs.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => process.exit(1))

const given = readArgumentsOrExit()
exitWithoutPrograms()
main(given).then(
  (isClean) => process.exit(isClean ? 0 : 1),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
