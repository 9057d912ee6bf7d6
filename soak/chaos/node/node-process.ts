import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FromNode, Look, NodeSettings } from './words.ts'

const entry = fileURLToPath(new URL('main.ts', import.meta.url))
const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Time, in milliseconds: one that stands still says nothing before it goes on. */
const saidWithinMs = 15_000

/** Hears what a node says, and that it is gone though nobody ended it. */
export interface NodeHearer {
  hear(message: FromNode): void
  died(how: string): void
}

/** A node of the deployment, in a process of its own. */
export class NodeProcess {
  readonly port: number
  readonly startedAt = performance.now()
  look: Look | undefined
  /** Largest memory that was seen, in bytes. */
  maxRss = 0
  readonly #child: ChildProcess
  readonly #waiting: (() => void)[] = []
  readonly #exited: Promise<unknown>
  #isEnding = false

  private constructor(child: ChildProcess, port: number, hearer: NodeHearer) {
    this.port = port
    this.#child = child
    this.#exited = once(child, 'exit')
    child.on('message', (message: FromNode) => this.#hear(message, hearer))
    child.on('exit', (code, signal) => {
      if (!this.#isEnding) hearer.died(`a node ended: ${code ?? signal}`)
    })
  }

  static async start(settings: NodeSettings, hearer: NodeHearer): Promise<NodeProcess> {
    const args = ['--import', 'tsx', entry, JSON.stringify(settings)]
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const failed = once(child, 'exit').then(([code, signal]): never => {
      throw new Error(`A node did not start: ${code ?? signal}`)
    })
    failed.catch(() => undefined)
    for (;;) {
      const [message] = (await Promise.race([once(child, 'message'), failed])) as [FromNode]
      if (message.type === 'listening') return new NodeProcess(child, message.port, hearer)
      hearer.hear(message)
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/mcp`
  }

  get isEnding(): boolean {
    return this.#isEnding
  }

  /** Resolves when all that it has said until now has come, or it does not answer. */
  async saidAll(): Promise<void> {
    if (!this.#child.connected || this.#isEnding) return
    const said = new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#child.send({ type: 'say' }, () => undefined)
    await Promise.race([said, sleep(saidWithinMs, undefined, { ref: false }), this.#exited])
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name)
  }

  /** Ends it: at once, or in an orderly way. Resolves when it is gone. */
  async end(how: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.#isEnding = true
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill(how)
    await this.#exited
  }

  #hear(message: FromNode, hearer: NodeHearer): void {
    if (message.type === 'said') return this.#waiting.shift()?.()
    if (message.type !== 'look') return hearer.hear(message)
    this.look = message.look
    this.maxRss = Math.max(this.maxRss, message.look.rss)
  }
}
