import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

const startTimeoutMs = 60_000
const stopTimeoutMs = 15_000
const running = new Set<ChildProcess>()

interface Child {
  readonly process: ChildProcess
  /** Everything it wrote to stderr so far. */
  stderr(): string
  /** Resolves with the exit code, or the signal's name, once it is gone. */
  readonly ended: Promise<number | string>
}

/** Starts Node with these arguments. It ends with this process at the latest. */
function startNode(args: readonly string[]): Child {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  const errors: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child)
    return (code ?? signal) as number | string
  })
  return { process: child, stderr: () => errors.join(''), ended }
}

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(1))
}

export interface RunningServer {
  readonly url: string
  /** Stops it. Says what was wrong with how it stopped, if anything was. */
  stop(): Promise<string | undefined>
}

/** Starts the everything server on a free port, with more flags where they are given. */
export async function startEverything(
  adapter: string,
  response: string,
  more: readonly string[] = [],
): Promise<RunningServer> {
  const flags = ['--adapter', adapter, '--response', response, '--port', '0', ...more]
  const child = startNode(['--import', 'tsx', 'conformance/everything.ts', ...flags])
  const line = await Promise.race([firstLine(child.process), child.ended, after(startTimeoutMs)])
  const url = typeof line === 'string' ? /^listening (http:\S+)$/.exec(line)?.[1] : undefined
  if (url === undefined) {
    child.process.kill('SIGKILL')
    throw new Error(
      `Expected "listening <url>" from the ${adapter} server, got ${line ?? 'nothing'}\n${child.stderr()}`,
    )
  }
  return { url, stop: () => stop(child) }
}

async function firstLine(child: ChildProcess): Promise<string | undefined> {
  if (!child.stdout) return undefined
  const [line] = await once(createInterface(child.stdout), 'line')
  return line
}

async function stop(child: Child): Promise<string | undefined> {
  child.process.kill('SIGTERM')
  const end = await Promise.race([child.ended, after(stopTimeoutMs)])
  if (end === 0) return undefined
  child.process.kill('SIGKILL')
  return `Expected the server to exit with 0 after SIGTERM, got ${end ?? 'nothing'}\n${child.stderr()}`
}

/** Runs Node with these arguments to its end, or to `timeoutMs`. Says what was wrong, if anything was. */
export async function runNode(args: readonly string[], timeoutMs: number): Promise<string | undefined> {
  const child = startNode(args)
  child.process.stdout?.resume()
  const end = await Promise.race([child.ended, after(timeoutMs)])
  if (end === 0) return undefined
  child.process.kill('SIGKILL')
  await child.ended
  return `${end === undefined ? `still running after ${timeoutMs} ms` : `ended with ${end}`}\n${child.stderr()}`.trim()
}

function after(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined).unref())
}
