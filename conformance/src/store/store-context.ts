import { notTestable } from '../client/expect.ts'
import { delay, TimeLimit, within } from '../client/waiting.ts'
import type { Backplane, EventLog, MessageBus, SessionStore } from './contract-types.ts'
import { Listener, type ListenerOptions } from './listener.ts'
import { LogWriter } from './log-writer.ts'
import { createKey, toRecord } from './records.ts'
import type { StoreFaults, StoreOptions, StoreOracle, StoreUnderTest } from './store-under-test.ts'

/** For records that are not to expire while a check runs. */
export const longMs = 600_000

/** How a call ended. */
export type Settled<T> = { readonly value: T } | { readonly error: unknown }

/** The parts of a backplane, as one node has them. */
export class StoreNode {
  readonly #parts: Partial<Backplane>

  constructor(parts: Partial<Backplane>) {
    this.#parts = parts
  }

  get sessions(): SessionStore {
    return this.#parts.sessions ?? notTestable('open() gives no sessions')
  }

  get events(): EventLog {
    return this.#parts.events ?? notTestable('open() gives no events')
  }

  get bus(): MessageBus {
    return this.#parts.bus ?? notTestable('open() gives no bus')
  }

  /** `undefined` where a log is checked that comes without sessions. */
  get optionalSessions(): SessionStore | undefined {
    return this.#parts.sessions
  }
}

/** What a check works with: the store under test as a first node, and what else `open` gave. */
export class StoreContext extends StoreNode {
  readonly ttlToleranceMs: number
  readonly settleWithinMs: number
  readonly #store: StoreUnderTest
  readonly #listeners: Listener[] = []
  #second: Promise<StoreNode> | undefined

  constructor(store: StoreUnderTest, options: StoreOptions = {}) {
    super(store.backplane)
    this.#store = store
    this.ttlToleranceMs = options.ttlToleranceMs ?? 100
    this.settleWithinMs = options.settleWithinMs ?? 10_000
  }

  get oracle(): Required<StoreOracle> {
    const { oracle = {} } = this.#store
    return {
      hasSession: (key) => (oracle.hasSession ? oracle.hasSession(key) : notTestable('open() gives no hasSession')),
      countEvents: (key) => (oracle.countEvents ? oracle.countEvents(key) : notTestable('open() gives no countEvents')),
    }
  }

  get faults(): Required<StoreFaults> {
    const { faults } = this.#store
    if (!faults) return notTestable('open() gives no faults')
    return {
      disconnect: () => faults.disconnect(),
      reconnect: () => faults.reconnect(),
      loseNextReply: () =>
        faults.loseNextReply ? faults.loseNextReply() : notTestable('open() gives no loseNextReply'),
    }
  }

  second(): Promise<StoreNode> {
    this.#second ??= this.#open(this.#store.second, 'second')
    return this.#second
  }

  neighbour(): Promise<StoreNode> {
    return this.#open(this.#store.neighbour, 'neighbour')
  }

  async #open(open: StoreUnderTest['second'], name: string): Promise<StoreNode> {
    if (!open) return notTestable(`open() gives no ${name}`)
    return new StoreNode(await open.call(this.#store))
  }

  /** Two where there is a second one, for calls that contend. */
  async nodes(): Promise<readonly [StoreNode, StoreNode]> {
    return [this, this.#store.second ? await this.second() : this]
  }

  /** Begins a session and its log, as the core does: the record first, where the store has records. */
  async beginLog(node: StoreNode = this, sessionKey: string = createKey()): Promise<LogWriter> {
    await node.optionalSessions?.create(toRecord({ key: sessionKey }), longMs)
    return new LogWriter({ log: node.events, sessionKey, term: 1 })
  }

  /** Whether the log asks for the record of a session: it shows with one that never had any. */
  async logLooksAtRecords(): Promise<boolean> {
    const stray = new LogWriter({ log: this.events, sessionKey: createKey(), term: 1 })
    return (await stray.append(stray.next('g'))) === 'gone'
  }

  /** The log as its next owner goes on with it, on this node. */
  async takeOverLog(writer: LogWriter, node: StoreNode): Promise<LogWriter> {
    const { sessionKey, term: expectedTerm } = writer
    const taking = { expectedTerm, owner: 'next', ttlMs: longMs }
    const record = await node.optionalSessions?.takeOver(sessionKey, taking)
    return writer.succeededBy(node.events, record?.term ?? writer.term + 1)
  }

  /** Subscribes until the check ends. */
  async listen(bus: MessageBus, channel: string, options: ListenerOptions = {}): Promise<Listener> {
    const listener = new Listener(options)
    listener.unsubscribe = await bus.subscribe(channel, listener.hear, listener.miss)
    this.#listeners.push(listener)
    return listener
  }

  /** Messages may be lost: publishes again and again until this one is heard. */
  async publishUntilHeard(
    bus: MessageBus,
    channel: string,
    message: string,
    ...by: readonly Listener[]
  ): Promise<void> {
    const deadline = performance.now() + this.settleWithinMs
    for (const listener of by) {
      do {
        await settle(() => bus.publish(channel, message))
        if (await listener.hears(message, 50)) break
      } while (performance.now() < deadline)
      listener.expectHeard(message, this.settleWithinMs)
    }
  }

  /** How a call ends that must end in time, whichever way. */
  async inTime<T>(what: string, call: () => T | PromiseLike<T>): Promise<Settled<T>> {
    return await within(settle(call), this.settleWithinMs, what)
  }

  /** The result of a call that a database coming back may still refuse: made again until it is not. */
  async eventually<T>(what: string, call: () => T | PromiseLike<T>): Promise<T> {
    const deadline = performance.now() + this.settleWithinMs
    for (;;) {
      const outcome = await this.inTime(what, call)
      if ('value' in outcome) return outcome.value
      if (performance.now() >= deadline) {
        throw new TimeLimit(
          `${what} still rejects ${this.settleWithinMs} ms after the connection was let through again`,
        )
      }
      await delay(20)
    }
  }

  /** Ends the subscriptions of the check. */
  async end(): Promise<void> {
    for (const listener of this.#listeners) await settle(() => listener.unsubscribe())
  }
}

export async function settle<T>(call: () => T | PromiseLike<T>): Promise<Settled<T>> {
  try {
    return { value: await call() }
  } catch (error) {
    return { error }
  }
}
