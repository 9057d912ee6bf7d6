import { now } from '../promises/clock.ts'
import { DeadlineError, within } from '../promises/deadline.ts'
import type { Backplane } from './backplane.ts'

export type BackplanePart = keyof Backplane

/** A store that failed or gave no answer in time. Nothing is known of what it keeps: whoever asked may ask again. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly part: BackplanePart
  override readonly cause: unknown

  constructor(part: BackplanePart, method: string, cause: unknown) {
    super(`backplane.${part}.${method} failed: ${cause instanceof Error ? cause.message : String(cause)}`)
    this.part = part
    this.cause = cause
  }
}

/** A store that gave what its contract does not know. */
export class StoreTypeError extends TypeError {
  readonly part: BackplanePart

  constructor(part: BackplanePart, method: string, found: string) {
    super(`backplane.${part}.${method} gave what it must not: ${found}`)
    this.part = part
  }
}

/** What a method of a store gave, read by this; it throws for what no such method gives. */
export type ReadOutcome<T> = (outcome: unknown) => T

/** One call of a method that is not ours. */
export interface StoreCall<T> {
  readonly method: string
  /** May return anything, or throw. */
  readonly make: () => unknown
  readonly read: ReadOutcome<T>
  /** Whether it is made once more when it rejects. What is silent is not repeated: it may still be under way. */
  readonly repeats: boolean
  /** When it was asked for, by {@link now}, if it had to wait. */
  readonly since?: number
}

/** Calls the methods of one part of a backplane, and holds them to what they promise. */
export class StoreCalls {
  readonly #part: BackplanePart
  readonly #timeoutMs: number

  constructor(part: BackplanePart, timeoutMs: number) {
    this.#part = part
    this.#timeoutMs = timeoutMs
  }

  /**
   * @throws StoreError when the method failed, or was silent until its deadline
   * @throws StoreTypeError when it gave what no such method gives
   */
  async call<T>({ method, make, read, repeats, since = now() }: StoreCall<T>): Promise<T> {
    const endsAt = since + this.#timeoutMs
    let outcome: unknown
    try {
      const first = this.#within(endsAt, method, make)
      outcome = await (repeats ? first.catch((error) => this.#again(error, endsAt, method, make)) : first)
    } catch (error) {
      throw new StoreError(this.#part, method, error)
    }
    return this.#read(method, outcome, read)
  }

  /** The same for a method that answers at once. */
  callNow<T>({ method, make, read }: Pick<StoreCall<T>, 'method' | 'make' | 'read'>): T {
    let outcome: unknown
    try {
      outcome = make()
    } catch (error) {
      throw new StoreError(this.#part, method, error)
    }
    return this.#read(method, outcome, read)
  }

  #read<T>(method: string, outcome: unknown, read: ReadOutcome<T>): T {
    try {
      return read(outcome)
    } catch (error) {
      const found = error instanceof Error ? error.message : String(error)
      throw new StoreTypeError(this.#part, method, found)
    }
  }

  #again(error: unknown, endsAt: number, method: string, make: () => unknown): Promise<unknown> {
    if (error instanceof DeadlineError) throw error
    return this.#within(endsAt, method, make)
  }

  async #within(endsAt: number, method: string, make: () => unknown): Promise<unknown> {
    const expectation = `backplane.${this.#part}.${method} to settle`
    const left = Math.ceil(endsAt - now())
    // The deadline of the call before may have come early: timers count whole milliseconds.
    if (left <= 2) throw new DeadlineError(`Expected ${expectation} within ${this.#timeoutMs} ms`)
    return await within(left, make(), expectation)
  }
}
