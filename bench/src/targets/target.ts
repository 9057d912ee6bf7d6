import type { RunningTarget } from './running-target.ts'

export type WorkloadName = 'W1' | 'W2' | 'W3' | 'W4' | 'W5' | 'W6' | 'W7' | 'W8' | 'W9' | 'W10' | 'W12' | 'W12B'

/** Something that is measured. The load generator reads this; only the server's process calls `start`. */
export interface Target {
  readonly name: string
  /** Packages whose versions belong to its figures. */
  readonly packages: readonly string[]
  /** What it can serve. */
  readonly workloads: readonly WorkloadName[]
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  /** What its clients speak. @default 2025-11-25 */
  readonly revision?: '2026-07-28'
  /** It is called in its own process: no HTTP is measured. */
  readonly isInProcess?: true
  start(): Promise<RunningTarget>
}

export const everything: readonly WorkloadName[] = ['W1', 'W2', 'W3', 'W4', 'W5', 'W7', 'W10']
/** What can send to a session on its own. */
export const withNotify: readonly WorkloadName[] = [...everything, 'W8']
/** What is measured of a server with 30 tools. */
export const manyTools: readonly WorkloadName[] = ['W2', 'W3', 'W10']
/** What sends no progress on a POST, for its answers are plain JSON. */
export const withoutProgress = everything.filter((name) => name !== 'W4')

export const sdk1 = '@modelcontextprotocol/sdk'
export const sdk2 = '@modelcontextprotocol/server'
