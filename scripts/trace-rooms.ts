/**
 * Prints how one exchange goes through the files of the core: the functions it enters, the files they are in, and the rooms,
 * which are the entries whose file is not that of the entry before. `--verbose json` prints the way itself.
 *
 * Any function of `packages/core/src` with a body counts: accessors, constructors, closures and arrow functions like methods.
 * What the server object does is its own; what it calls of the core counts, and so does what follows when the response has
 * closed. No interval runs: keep-alive and expiry belong to no exchange.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { type Core, driveExchanges, exchangeNames } from './trace-exchanges.ts'
import { entryHook, instrumentPackage } from './trace-instrument.ts'

interface Entry {
  readonly file: string
  readonly name: string
}

/** The way that is being recorded; `undefined` between exchanges. */
let recorded: Entry[] | undefined

/** Globals while the core is traced. */
const hooks = {
  [entryHook]: (file: string, name: string) => recorded?.push({ file, name }),
  setInterval: () => {
    // One that is over: its owner may unref and clear it.
    const timer = setTimeout(() => undefined)
    clearTimeout(timer)
    return timer
  },
}

async function importCore(folder: string): Promise<Core> {
  const { exports } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  const load = (path: string) => import(pathToFileURL(join(folder, path)).href)
  return { ...(await load(exports['.'])), ...(await load(exports['./node'])) }
}

async function traceAll(): Promise<Map<string, Entry[]>> {
  const ways = new Map<string, Entry[]>()
  Object.assign(globalThis, hooks)
  const folder = await instrumentPackage(fileURLToPath(new URL('../packages/core', import.meta.url)))
  try {
    await driveExchanges(await importCore(folder), async (name, exchange) => {
      const way: Entry[] = []
      recorded = way
      await exchange()
      recorded = undefined
      ways.set(name, way)
    })
  } finally {
    await rm(folder, { recursive: true })
  }
  return ways
}

function toRow(name: string, way: readonly Entry[]): string {
  const rooms = way.filter(({ file }, index) => file !== way[index - 1]?.file).length
  const files = new Set(way.map(({ file }) => file)).size
  return [name.padEnd(8), ...[way.length, files, rooms].map((count) => String(count).padStart(9))].join('  ')
}

const usage = `Usage: pnpm trace [--verbose ${exchangeNames.join('|')}]`

/** The exchange whose way is to be printed. */
function readShownOrExit(): string | undefined {
  try {
    const { verbose } = parseArgs({ options: { verbose: { type: 'string' } } }).values
    const names: readonly string[] = exchangeNames
    if (verbose === undefined || names.includes(verbose)) return verbose
    throw new TypeError(`Expected --verbose to be one of ${names.join(', ')}, got "${verbose}"`)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error(usage)
    process.exit(2)
  }
}

async function main(shown: string | undefined): Promise<void> {
  const ways = await traceAll()
  console.log('exchange  functions      files      rooms')
  for (const [name, way] of ways) if (name === (shown ?? name)) console.log(toRow(name, way))
  if (shown !== undefined) for (const { file, name } of ways.get(shown) ?? []) console.log(`${file}:${name}`)
}

await main(readShownOrExit())
