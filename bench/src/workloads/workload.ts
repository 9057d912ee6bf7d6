import type { ServerProcess } from '../server-process.ts'
import type { WorkloadName } from '../targets/target.ts'

/** Numbers of one slice, by the keys of {@link Workload.figures}. */
export type Figures = Readonly<Record<string, number>>

export interface Figure {
  readonly key: string
  readonly title: string
  readonly digits: number
}

/** How much of everything: `full` is what is published, `tiny` proves that it works. */
export type Scale = 'full' | 'quick' | 'tiny'

export interface Prepared {
  /** Loads the server for about this long. */
  slice(durationMs: number): Promise<Figures>
  /** What is told once, after the last slice of every target; may collect garbage. */
  finish?(): Promise<Figures>
  close(): Promise<void>
}

/** One setting of a workload, a group of rows in its table. */
export interface Case {
  readonly name: string
  prepare(server: ServerProcess): Promise<Prepared>
}

export interface Workload {
  readonly name: WorkloadName
  readonly title: string
  /** Columns. */
  readonly figures: readonly Figure[]
  /** The figure whose ratio to `dispatch` is told, and which way it is read: `cost` lower is better, `rate` higher. */
  readonly ratio: { readonly key: string; readonly of: 'cost' | 'rate' }
  /**
   * `kept`: each target is prepared once and its slices alternate with the others'. `fresh`: prepared anew for each slice,
   * for what holds thousands of connections. `once`: as fresh, without warm-up and rounds, for what is not timed.
   */
  readonly preparation: 'kept' | 'fresh' | 'once'
  cases(scale: Scale): readonly Case[]
}
