import type { NodeStore } from '../node-process.ts'

/** What the nodes of a run share: a server of its own, and what it does by itself, which the nodes are measured beside. */
export interface ClusterStore {
  readonly title: string
  readonly ofNodes: NodeStore
  /** What a message is that it delivers by itself. */
  readonly bareMessage: string
  say(text: string): Promise<unknown>
  /** Resolves when what is said is heard. */
  hear(heard: (text: string) => void): Promise<void>
  /** Deletes all that nodes have in it. */
  empty(): Promise<unknown>
  /** What sessions take, in all. */
  sessionBytes(): Promise<number>
  /** Goal for one that is idle; `NaN` without. */
  readonly sessionLimit: number
  stop(): Promise<void>
}
