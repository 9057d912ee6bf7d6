import type { Journal } from '../check/journal.ts'
import type { Tally } from '../check/tally.ts'

/** What all clients of a run share. */
export interface ChaosWorld {
  readonly tally: Tally
  readonly journal: Journal
  /** A client that waits so long for anything has been left hanging, in milliseconds. */
  readonly hungAfterMs: number
  /** No new session begins, and no new call. */
  readonly stopped: AbortSignal
  /** Of a node that the balancer sends to, at random. */
  url(): string
  /** Of every node that runs. */
  urls(): readonly string[]
  /** Whether the store has lost something since then: sessions, or events, may be gone. */
  hasLostSince(time: number): boolean
  /** Whether the node at this URL has ended since then, by whichever end: a request to it may be broken. */
  hasEndedSince(url: string, time: number): boolean
  /** Resolves when all that nodes have said until now is in the journal. */
  heardAll(): Promise<void>
  nextName(): string
}
