import { option, wholeNumber } from '../option-checks.ts'

/** How much of its events a store keeps, and for how long. */
export interface LogOptions {
  /**
   * Bytes of events, with what keeping them takes beside, that one session may have. It must exceed what a kernel
   * buffers for one connection, or a cut connection loses events. Twice as many where nothing may be dropped.
   * @default 8_388_608
   */
  maxBytesPerSession?: number
  /** @default 10_000 */
  maxEventsPerSession?: number
  /**
   * How long, in milliseconds, a finished stream is kept after its last event was written to a connection.
   * @default 60_000
   */
  retainMs?: number
}

/** For the table of options of a store. */
export const logOptions = {
  maxBytesPerSession: option(8_388_608, wholeNumber(1, Number.MAX_SAFE_INTEGER)),
  maxEventsPerSession: option(10_000, wholeNumber(1, Number.MAX_SAFE_INTEGER)),
  retainMs: option(60_000, wholeNumber(1)),
}
