import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { CommandName, Commands, FromServer, ServerSettings, ToServer } from './commands.ts'

const entry = fileURLToPath(new URL('main.ts', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** The server under test, in a process of its own. It ends with this one at the latest. */
export class ServerProcess {
  readonly url: string
  /** Resolves when the process is gone, with how it went. */
  readonly exited: Promise<string>
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #seq = 0

  private constructor(url: string, child: ChildProcess, exited: Promise<string>) {
    this.url = url
    this.exited = exited
    this.#child = child
    child.on('message', (message: FromServer) => this.#receive(message))
    void exited.then((how) => this.#abandon(new Error(`The server's process has ended: ${how}`)))
  }

  /** Starts the server and waits until it listens. */
  static async start(settings: ServerSettings): Promise<ServerProcess> {
    const args = ['--expose-gc', '--import', 'tsx', entry, JSON.stringify(settings)]
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const exited = once(child, 'exit').then(([code, signal]) => String(code ?? signal))
    const failed = exited.then((how): never => {
      throw new Error(`The server did not start: ${how}`)
    })
    failed.catch(() => undefined)
    const [message] = (await Promise.race([once(child, 'message'), failed])) as [FromServer]
    if (message.type !== 'listening') throw new Error(`The server said ${message.type} before it listened`)
    return new ServerProcess(message.url, child, exited)
  }

  request<Name extends CommandName>(command: Name, given?: Commands[Name]['given']): Promise<Commands[Name]['answer']> {
    const seq = ++this.#seq
    return new Promise((resolve, reject) => {
      this.#waiting.set(seq, { resolve: (value) => resolve(value as Commands[Name]['answer']), reject })
      const message: ToServer = { seq, command, given }
      this.#child.send(message, (error) => error && this.#abandon(error))
    })
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exited
  }

  #receive(message: FromServer): void {
    if (message.type !== 'reply') return
    const waiting = this.#waiting.get(message.seq)
    this.#waiting.delete(message.seq)
    if (message.error === undefined) waiting?.resolve(message.value)
    else waiting?.reject(new Error(message.error))
  }

  #abandon(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }
}
