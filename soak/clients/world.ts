import type { Ledger } from '../check/ledger.ts'
import type { Deadlines } from '../server/commands.ts'

/** What all clients of a run share. */
export interface World {
  readonly url: string
  readonly ledger: Ledger
  readonly deadlines: Deadlines
  /** A client that waits so long for anything has been left hanging, in milliseconds. */
  readonly hungAfterMs: number
  /** No new behaviour begins. */
  readonly stopped: AbortSignal
  /** Clients that have not left yet. */
  readonly present: Set<Present>
  /** Makes a name that no other client has. */
  readonly nextName: () => string
}

/** A client, as far as others need to know it. */
export interface Present {
  readonly name: string
  /** What it did and saw last. */
  readonly transcript: readonly string[]
}
