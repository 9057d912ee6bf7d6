import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** Serves the example from another process, with what it keeps in a SQLite file. */
export class RestartingServer {
  readonly #example: string
  readonly #file: string
  #child: ChildProcess | undefined
  port: number
  framework = ''

  /** `example`: the URL of its `listen.ts`. */
  constructor(example: string, file: string, port: number) {
    this.#example = example
    this.#file = file
    this.port = port
  }

  /** @throws Error with what the process has printed, when it ends before it listens */
  async start(): Promise<void> {
    const child = fork(
      fileURLToPath(new URL('serve.ts', import.meta.url)),
      [this.#example, String(this.port), this.#file],
      { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'pipe', 'ipc'] },
    )
    this.#child = child
    let printed = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      printed += chunk
    })
    const ended = once(child, 'close').then(() => {
      throw new Error(/^\w*Error: .+$/m.exec(printed)?.[0] ?? printed)
    })
    const [{ port, framework }] = (await Promise.race([once(child, 'message'), ended])) as [
      { port: number; framework: string },
    ]
    ended.catch(() => undefined)
    this.port = port
    this.framework = framework
  }

  /** `kill -9`, in the middle of whatever it does. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async close(): Promise<void> {
    await this.#end('SIGTERM')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }
}
