import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { CommandName, Commands, FromServer, ToServer } from './commands.ts'
import { onServerCore } from './pin.ts'
import type { Target } from './targets/target.ts'

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** A target in a process of its own, on the servers' core. */
export class ServerProcess {
  readonly target: Target
  readonly url: string
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #seq = 0

  private constructor(target: Target, url: string, child: ChildProcess) {
    this.target = target
    this.url = url
    this.#child = child
    child.on('message', (message: FromServer) => this.#receive(message))
    child.on('exit', (code, signal) => this.#abandon(new Error(`${target.name} exited with ${code ?? signal}`)))
  }

  /** Starts the server on a program `node` and waits until it listens. */
  static async start(entry: string, target: Target, node = process.execPath): Promise<ServerProcess> {
    // Two peers keep every answer of W5: they are to be seen, not to die of it.
    const nodeArgs = ['--expose-gc', '--max-old-space-size=8192', entry, target.name]
    const [command, args] = onServerCore(node, nodeArgs)
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const exited = once(child, 'exit').then(([code, signal]): never => {
      throw new Error(`${target.name} did not start: exited with ${code ?? signal}`)
    })
    exited.catch(() => undefined)
    const [message] = (await Promise.race([once(child, 'message'), exited])) as [FromServer]
    if (message.type !== 'listening') throw new Error(`${target.name} said ${message.type} before it listened`)
    return new ServerProcess(target, message.url, child)
  }

  request<Name extends CommandName>(command: Name): Promise<Commands[Name]> {
    const seq = ++this.#seq
    return new Promise((resolve, reject) => {
      this.#waiting.set(seq, { resolve: (value) => resolve(value as Commands[Name]), reject })
      const message: ToServer = { seq, command }
      this.#child.send(message, (error) => error && this.#abandon(error))
    })
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  #receive(message: FromServer): void {
    if (message.type !== 'reply') return
    const waiting = this.#waiting.get(message.seq)
    this.#waiting.delete(message.seq)
    if (message.error === undefined) waiting?.resolve(message.value)
    else waiting?.reject(new Error(`${this.target.name}: ${message.error}`))
  }

  #abandon(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }
}
