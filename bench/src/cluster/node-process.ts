import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { moveToServerCore } from '../pin.ts'
import type { sharedNow } from './shared-clock.ts'

/**
 * `cpu` in microseconds, `heap` in bytes after collecting; `appendedAt` and `writtenAt`, by {@link sharedNow}: when the last
 * event was given to the log, and when the last was written to a client that listens.
 */
export type Asked = 'cpu' | 'heap' | 'sessions' | 'appendedAt' | 'writtenAt'

export type Told = { readonly url: string } | { readonly asked: Asked; readonly value: number }

/** What it shares with others. */
export type NodeStore = { readonly redisPort: number } | { readonly postgresUrl: string }

export interface NodeSettings {
  /** `undefined`: it is alone. */
  readonly store?: NodeStore | undefined
  readonly hibernateAfterMs?: number
  /** Of `node:cluster`; without any it is one process. Only `workers/node.ts` knows them. */
  readonly workers?: number
}

export interface NodeOptions extends NodeSettings {
  readonly entry: string
  /** On the servers' core, with all nodes that are. */
  readonly isPinned?: boolean
}

/** A node in a process of its own. */
export class NodeProcess {
  readonly url: string
  readonly #child: ChildProcess

  static async start({ entry, isPinned = false, ...settings }: NodeOptions): Promise<NodeProcess> {
    const child = fork(entry, [JSON.stringify(settings satisfies NodeSettings)], { execArgv: ['--expose-gc'] })
    if (isPinned && child.pid !== undefined) moveToServerCore(child.pid)
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
