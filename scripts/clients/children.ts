import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

export interface Child {
  readonly pid: number
  /** Everything it wrote so far. */
  readonly stdout: string
  readonly stderr: string
  /** Resolves with the exit code, or the signal's name, once it is gone. */
  readonly ended: Promise<number | string>
  onOutput(heard: () => void): void
}

const running = new Map<number, ChildProcess>()

process.on('exit', () => {
  for (const pid of running.keys()) kill(pid, 'SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(1))
}

/** Starts a program in a folder. It ends with this process at the latest, and so does what it started itself. */
export function start(command: string, args: readonly string[], cwd: string): Child {
  // Of a group of its own, so that one id names it and all that it starts.
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const { pid } = child
  if (pid === undefined) throw new Error(`Expected ${command} to start`)
  running.set(pid, child)
  const texts = { stdout: '', stderr: '' }
  const listeners: (() => void)[] = []
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text
      for (const heard of listeners) heard()
    })
  }
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(pid)
    return (code ?? signal) as number | string
  })
  return {
    pid,
    ended,
    get stdout() {
      return texts.stdout
    },
    get stderr() {
      return texts.stderr
    },
    onOutput: (heard) => listeners.push(heard),
  }
}

/** Ends a child, with all that it started. */
export function kill(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // It has ended by itself.
  }
}

/** Runs a program to its end, or to `timeoutMs`. `end` is the exit code, or what ended it instead. */
export async function run(
  command: string,
  args: readonly string[],
  { cwd, timeoutMs }: { readonly cwd: string; readonly timeoutMs: number },
): Promise<Child & { readonly end: number | string }> {
  const child = start(command, args, cwd)
  const timer = setTimeout(() => kill(child.pid, 'SIGKILL'), timeoutMs)
  const end = await child.ended
  clearTimeout(timer)
  return Object.assign(child, { end })
}

export async function mustRun(command: string, args: readonly string[], cwd: string): Promise<void> {
  const { end, stdout, stderr } = await run(command, args, { cwd, timeoutMs: 300_000 })
  if (end !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${end}\n${stdout}${stderr}`.trim())
}
