import type { Baseline } from '../baseline.ts'

export interface ReporterOptions {
  /** Whether the terminal shows colours. @default false */
  readonly color?: boolean
  /** Columns of the terminal. @default 100 */
  readonly width?: number
  /** A SHOULD that is not met counts as a failure. @default false */
  readonly strict?: boolean
  /** Shows what was sent and received. @default false */
  readonly verbose?: boolean
  /** Known failures. None by default. */
  readonly baseline?: Baseline
}
