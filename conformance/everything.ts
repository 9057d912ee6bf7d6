/** Serves the everything server until a signal ends it. `pnpm everything --help` lists the flags. */
import { once } from 'node:events'
import { cac } from 'cac'
import {
  type AdapterName,
  adapterNames,
  backplaneForms,
  findBackplane,
  fixtureEras,
  type OpenBackplane,
  parserNames,
  type StartOptions,
  sharedOptions,
  startFixture,
} from './mounts/index.ts'

const usage = `Usage: pnpm everything --adapter ${adapterNames.join('|')} --port N [--era dual|2025|2026] [--response auto|sse|json] [--stateless] [--parser] [--backplane ${backplaneForms}]`

const responses = ['auto', 'sse', 'json'] as const

const drainMs = 5_000

/** Something is wrong with the command line. */
class UsageError extends Error {}

function isOneOf<Name extends string>(value: unknown, names: readonly Name[]): value is Name {
  return names.some((name) => name === value)
}

function readChoice<Name extends string>(flag: string, value: unknown, names: readonly Name[]): Name {
  if (isOneOf(value, names)) return value
  throw new UsageError(`Expected ${flag} to be one of ${names.join(', ')}, got ${JSON.stringify(value)}`)
}

function readPort(value: unknown): number {
  if (/^\d{1,5}$/.test(String(value)) && Number(value) <= 65_535) return Number(value)
  throw new UsageError(`Expected --port to be a whole number from 0 to 65535, got ${JSON.stringify(value)}`)
}

function readSwitch(flag: string, value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false
  throw new UsageError(`Expected ${flag} without a value, got ${JSON.stringify(value)}`)
}

type Open = (report: (error: Error) => void) => Promise<OpenBackplane>

function readBackplane(value: unknown): Open | undefined {
  if (value === undefined) return undefined
  const open = findBackplane(String(value))
  if (open) return open
  throw new UsageError(`Expected --backplane to be ${backplaneForms}, got ${JSON.stringify(value)}`)
}

interface Options extends StartOptions {
  /** Opens what several nodes share; without it the node keeps everything itself. */
  readonly open: Open | undefined
}

function readOptions(argv: readonly string[]): Options | undefined {
  const cli = cac('everything')
  const command = cli
    .command('', 'Serves the everything server at /mcp on 127.0.0.1')
    .option('--adapter <name>', adapterNames.join(', '), { default: 'express' satisfies AdapterName })
    .option('--port <number>', '0 takes a free one', { default: 0 })
    .option('--era <era>', fixtureEras.join(', '), { default: 'dual' })
    .option('--response <shape>', responses.join(', '), { default: 'auto' })
    .option('--stateless', 'Serve without sessions')
    .option('--parser', "Put the framework's JSON body parser in front")
    .option('--backplane <url>', `Keep sessions and streams there, with other nodes: ${backplaneForms}`)
  cli.help()
  const { args, options } = cli.parse([...argv], { run: false })
  if (options.help) return undefined
  const rest = [...args, ...options['--']]
  if (rest.length > 0) throw new UsageError(`Expected only flags, got ${JSON.stringify(rest[0])}`)
  command.checkUnknownOptions()
  command.checkOptionValue()
  const adapter = readChoice('--adapter', options.adapter, adapterNames)
  const parser = readSwitch('--parser', options.parser)
  if (parser && !parserNames.includes(adapter)) {
    throw new UsageError(`Expected --parser only with ${parserNames.join(', ')}, got it with ${adapter}`)
  }
  return {
    adapter,
    port: readPort(options.port),
    era: readChoice('--era', String(options.era), fixtureEras),
    response: readChoice('--response', options.response, responses),
    sessions: !readSwitch('--stateless', options.stateless),
    parser,
    open: readBackplane(options.backplane),
  }
}

function readOptionsOrExit(): Options {
  try {
    // Help was asked for, and cac has printed it.
    return readOptions(process.argv) ?? process.exit(0)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error(usage)
    process.exit(2)
  }
}

async function main({ open, ...options }: Options): Promise<void> {
  const report = (error: unknown, where: string): void => console.error(where, error)
  const opened = await open?.((error) => report(error, 'backplane'))
  const shared = opened && { ...sharedOptions, backplane: opened.backplane }
  const fixture = await startFixture({ ...options, ...shared, onError: report })
  const ended = new AbortController()
  process.on('SIGTERM', () => ended.abort()).on('SIGINT', () => ended.abort())
  console.log(`listening ${fixture.url}`)
  await once(ended.signal, 'abort')
  await fixture.close({ drainMs })
  await opened?.close()
  process.exit(0)
}

function fail(error: unknown): never {
  console.error(error)
  process.exit(1)
}

main(readOptionsOrExit()).catch(fail)
