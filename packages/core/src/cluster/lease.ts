import type { SessionStore } from '../backplane/backplane.ts'
import { unreachableRejection } from '../http/errors.ts'
import { now } from '../promises/clock.ts'
import { unref } from '../promises/unref.ts'

export interface LeaseParts {
  readonly node: () => string
  readonly leaseMs: number
  readonly store: SessionStore
  /**
   * The lease was over for a time, or the store has lost it: other nodes may have taken sessions over, or they are gone.
   * Looks which are still this node's.
   */
  readonly lapsed: () => Promise<void>
  readonly onError: (error: unknown) => void
}

/** How often in a row a renewal may be over when it is heard of. */
const maxTries = 3

/**
 * This node's lease on all sessions that it owns. While it runs no other node takes one over, so requests for them need
 * not ask the store. A node that stood still finds it over, and looks before it answers.
 */
export class Lease {
  readonly #parts: LeaseParts
  /** Until when it runs, by the clock that goes forward and by the wall clock: the first may stand still in a suspended machine. */
  #until = 0
  #untilByWall = 0
  /** How often it was over for a time. */
  lapses = 0
  /** It was, and which sessions are still this node's has not been looked for to the end. */
  #isInDoubt = false
  #looking: Promise<void> | undefined
  #renewing: Promise<void> | undefined
  #timer: ReturnType<typeof setInterval> | undefined
  #isOver = false

  constructor(parts: LeaseParts) {
    this.#parts = parts
  }

  get runs(): boolean {
    return !this.#isInDoubt && this.#isHeld
  }

  get #isHeld(): boolean {
    return now() < this.#until && Date.now() < this.#untilByWall
  }

  /** Resolves when the lease runs. Rejects when the store does. */
  async hold(): Promise<void> {
    this.#start()
    for (let tries = 0; !this.runs && !this.#isOver; tries++) {
      // Each took longer than a lease.
      if (tries === maxTries) throw unreachableRejection()
      await this.#renew()
      await this.#looking
    }
  }

  /** Other nodes may take over at once; where the store cannot be reached, when the lease is over. Does not reject. */
  async end(): Promise<void> {
    this.#isOver = true
    clearInterval(this.#timer)
    const renewing = this.#renewing
    const mayRun = this.#until > 0 || renewing !== undefined
    this.#until = 0
    if (!mayRun) return
    try {
      // One that fails is told to who waits for it, and the store may have heard of it all the same.
      await renewing?.catch(() => undefined)
      await this.#parts.store.renewLease(this.#parts.node(), 0)
    } catch (error) {
      this.#parts.onError(error)
    }
  }

  #start(): void {
    if (this.#timer || this.#isOver) return
    const renew = (): void => void this.#renew().catch(this.#parts.onError)
    this.#timer = setInterval(renew, Math.max(10, Math.floor(this.#parts.leaseMs / 3)))
    unref(this.#timer)
  }

  #renew(): Promise<void> {
    this.#renewing ??= this.#ask().finally(() => {
      this.#renewing = undefined
    })
    return this.#renewing
  }

  async #ask(): Promise<void> {
    const { node, leaseMs, store } = this.#parts
    // Counted from before it was asked for: the store begins to count later.
    const [since, sinceByWall] = [now(), Date.now()]
    const ran = await store.renewLease(node(), leaseMs)
    if (this.#isOver) return
    // Also one that ended while this was under way: only what still runs has been prolonged.
    const hasLapsed = this.#until > 0 && !(ran && this.#isHeld)
    this.#until = since + leaseMs
    this.#untilByWall = sinceByWall + leaseMs
    if (hasLapsed) {
      this.lapses++
      this.#isInDoubt = true
    }
    if (this.#isInDoubt) this.#looking ??= this.#look()
  }

  /** The lease is renewed meanwhile: with many sessions this takes longer than a lease. */
  async #look(): Promise<void> {
    const { lapsed, onError } = this.#parts
    try {
      for (let seen = -1; seen !== this.lapses; ) {
        seen = this.lapses
        await lapsed()
      }
      this.#isInDoubt = false
    } catch (error) {
      // Tried again with the next renewal.
      onError(error)
    } finally {
      this.#looking = undefined
    }
  }
}
