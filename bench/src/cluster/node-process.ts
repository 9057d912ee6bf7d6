import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

/** `cpu` in microseconds, `heap` in bytes after collecting. */
export type Asked = 'cpu' | 'heap' | 'sessions'

export type Told = { readonly url: string } | { readonly asked: Asked; readonly value: number }

export interface NodeOptions {
  readonly entry: string
  /** `0`: it is alone. */
  readonly redisPort: number
  readonly hibernateAfterMs?: number
}

/** A node in a process of its own. */
export class NodeProcess {
  readonly url: string
  readonly #child: ChildProcess

  static async start({ entry, redisPort, hibernateAfterMs = 0 }: NodeOptions): Promise<NodeProcess> {
    const child = fork(entry, [String(redisPort), String(hibernateAfterMs)], { execArgv: ['--expose-gc'] })
    const [told] = (await once(child, 'message')) as [Told]
    if (!('url' in told)) throw new Error('Expected the node to say where it listens first')
    return new NodeProcess(child, told.url)
  }

  private constructor(child: ChildProcess, url: string) {
    this.#child = child
    this.url = url
  }

  async ask(asked: Asked): Promise<number> {
    const answering = once(this.#child, 'message') as Promise<[Told]>
    this.#child.send(asked)
    const [told] = await answering
    return 'value' in told ? told.value : Number.NaN
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}
