import type { Backplane } from './contract-types.ts'

type MaybePromise<T> = T | PromiseLike<T>

/** What `open` gives: a store that is empty, and shares its data with no other that `open` gave. */
export interface StoreUnderTest {
  /** The parts to be checked: `sessions`, `events`, `bus`. Checks of those left out are skipped. */
  readonly backplane: Partial<Backplane>
  /** Another client of the same data, as another node of the deployment has it. */
  second?(): MaybePromise<Partial<Backplane>>
  /** A store of another deployment in the same database: with another key prefix or schema. */
  neighbour?(): MaybePromise<Partial<Backplane>>
  /** Looks into the database itself, past the code under test. */
  readonly oracle?: StoreOracle
  /** Comes between `backplane` and the database. What `second` gave is not affected. */
  readonly faults?: StoreFaults
  /** Ends every connection of this store and what `second` and `neighbour` gave, and removes its data. */
  close?(): unknown
}

/** Each reads with the plain client of the database. */
export interface StoreOracle {
  /** Whether the database holds anything of the record with this key. */
  hasSession?(key: string): MaybePromise<boolean>
  /** How many events of this session the database holds. */
  countEvents?(sessionKey: string): MaybePromise<number>
}

export interface StoreFaults {
  /** Cuts the connections of `backplane`. New ones fail until `reconnect`. Resolves when they are cut. */
  disconnect(): MaybePromise<void>
  /** Lets connections through again. */
  reconnect(): MaybePromise<void>
  /** The next command is carried out, and its connection breaks before the reply. The one after may connect again. */
  loseNextReply?(): MaybePromise<void>
}

export type OpenStore = () => MaybePromise<StoreUnderTest>

export interface StoreOptions {
  /**
   * Opens a store whose event log keeps at most so many events of one session, for the checks of what is dropped first.
   * It may keep up to twice as many.
   */
  readonly openBounded?: (maxEventsPerSession: number) => MaybePromise<StoreUnderTest>
  /**
   * How exactly the store keeps time: a record may go so many milliseconds before or after the end of its `ttlMs`.
   * @default 100
   */
  readonly ttlToleranceMs?: number
  /**
   * Milliseconds within which a method must settle, with and without its database, and a message published again and
   * again must be heard.
   * @default 10_000
   */
  readonly settleWithinMs?: number
}
