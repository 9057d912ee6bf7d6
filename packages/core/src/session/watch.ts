import type { Exchange } from '../call/exchange.ts'
import type { ResolvedOptions } from '../options.ts'
import { LinkedList } from '../queues/linked-list.ts'
import type { Connection } from '../stream/connection.ts'
import type { LiveSession } from './live-session.ts'

/** What the watch has done about what it sees. */
export interface WatchActions {
  /** Nobody uses the session any more. */
  expire(session: LiveSession, reason: string): void
  /** A quarter of the idle time has passed: sessions used since `since` are still in use. */
  prolong(since: number): void
}

/**
 * Knows what on this node has a deadline, and looks after it with one timer. Every set is in the order of its
 * deadlines, so that a look costs what is due, not what is there.
 */
export class Watch {
  readonly #options: ResolvedOptions
  readonly #actions: WatchActions
  /** Sessions without running call and connection, longest first. */
  readonly #free = new Set<LiveSession>()
  /** Sessions not yet `initialized`, oldest first. */
  readonly #uninitialized = new Set<LiveSession>()
  /** Running exchanges that nobody is attached to, longest first. */
  readonly #detached = new LinkedList<Exchange>()
  readonly #connections = new LinkedList<Connection>()
  #sessions = 0
  #prolongedAt = Date.now()
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(options: ResolvedOptions, actions: WatchActions) {
    this.#options = options
    this.#actions = actions
  }

  get counts(): { connections: number; detachedCalls: number } {
    return { connections: this.#connections.size, detachedCalls: this.#detached.size }
  }

  get connections(): Iterable<Connection> {
    return this.#connections.toArray()
  }

  /** Free sessions, longest-idle first. */
  get free(): ReadonlySet<LiveSession> {
    return this.#free
  }

  add(session: LiveSession): void {
    this.#sessions++
    if (session.sessionId !== undefined && !session.record.initialized) this.#uninitialized.add(session)
    this.#start()
  }

  remove(session: LiveSession): void {
    this.#sessions--
    this.#free.delete(session)
    this.#uninitialized.delete(session)
  }

  setBusy(session: LiveSession): void {
    this.#free.delete(session)
  }

  setFree(session: LiveSession): void {
    session.freeSince = Date.now()
    this.#free.delete(session)
    this.#free.add(session)
  }

  setInitialized(session: LiveSession): void {
    this.#uninitialized.delete(session)
  }

  setDetached(exchange: Exchange): void {
    this.setAttached(exchange)
    exchange.detachedSince = Date.now()
    exchange.detached = this.#detached.add(exchange)
  }

  setAttached(exchange: Exchange): void {
    if (exchange.detached) this.#detached.remove(exchange.detached)
    exchange.detached = undefined
  }

  setOpened(connection: Connection): void {
    connection.watched = this.#connections.add(connection)
  }

  setClosed(connection: Connection): void {
    if (connection.watched) this.#connections.remove(connection.watched)
    connection.watched = undefined
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #start(): void {
    if (this.#timer) return
    const { sessionIdleMs, initializeTimeoutMs, abandonAfterMs, keepAliveMs, stallMs } = this.#options
    const shortest = Math.min(sessionIdleMs, initializeTimeoutMs, abandonAfterMs, keepAliveMs || stallMs, stallMs)
    this.#timer = setInterval(() => this.#look(Date.now()), Math.min(1_000, Math.max(10, Math.floor(shortest / 4))))
    // Sessions alone keep no process alive. Not every runtime has `unref`.
    if (typeof this.#timer === 'object') this.#timer.unref?.()
  }

  #look(now: number): void {
    for (const connection of this.connections) connection.tick(now, this.#options)
    this.#lookAtCalls(now)
    this.#lookAtSessions(now)
    if (this.#sessions + this.#connections.size + this.#detached.size === 0) this.stop()
  }

  #lookAtCalls(now: number): void {
    for (let first = this.#detached.first; first; first = this.#detached.first) {
      if (now - first.detachedSince < this.#options.abandonAfterMs) return
      this.setAttached(first)
      first.session.abandon(first, 'Nobody was connected to read the answer')
    }
  }

  #lookAtSessions(now: number): void {
    const { sessionIdleMs, initializeTimeoutMs } = this.#options
    for (const session of this.#free) {
      if (now - session.freeSince < sessionIdleMs) break
      this.#actions.expire(session, 'The session was idle for too long')
    }
    for (const session of this.#uninitialized) {
      if (now - session.record.createdAt < initializeTimeoutMs) break
      if (this.#free.has(session)) this.#actions.expire(session, 'notifications/initialized never came')
    }
    if (now - this.#prolongedAt < sessionIdleMs / 4) return
    this.#actions.prolong(this.#prolongedAt)
    this.#prolongedAt = now
  }
}
