import type { Endpoint, SessionInfo } from '@throughline/mcp-http-core'
import { Happenings } from './happenings.ts'
import type { Counts, SessionDetail, StreamPage, View } from './protocol.ts'
import { type ListQuery, SessionList, toRow } from './session-list.ts'
import { textToShown, toLine, toShown } from './shown.ts'

/** Time, in milliseconds, without a question from a page, after which nobody looks. */
const idleMs = 10_000

/** Time, in milliseconds, for which the record of a session is taken as it was: little in it changes. */
const recordMs = 5_000

/** Records that are kept for that; the oldest are forgotten first. */
const maxRecords = 20

/** Events that are read at a time. */
const eventsPerPage = 50

export interface ViewQuery extends ListQuery {
  /** The newest happening that the page has. */
  readonly since: number
  /** Key of the session that it shows. */
  readonly session: string | undefined
}

/** What pages are told. While none has asked for 10 s, nothing is subscribed to and nothing is kept. */
export class Looking {
  readonly #endpoint: Endpoint
  readonly #happenings: Happenings
  readonly #list: SessionList
  readonly #records = new Map<string, { readonly info: SessionInfo; readonly at: number }>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint
    this.#happenings = new Happenings(endpoint)
    this.#list = new SessionList(endpoint.sessions)
  }

  /** A page is on its way to somebody: what it asks first is read meanwhile. */
  prepare(): void {
    this.#list.prepare()
    this.#stay()
  }

  async view(query: ViewQuery): Promise<View> {
    this.#look()
    const { session: key, since } = query
    const happenings = this.#happenings
    if (key !== undefined) happenings.follow(key)
    const [list, session] = await Promise.all([
      this.#list.page(query),
      key === undefined ? undefined : this.#detail(key),
    ])
    const counts = toCounts(this.#endpoint)
    const { isObserved, lastSeq } = happenings
    // A page that asked before nobody looked counts from then: it gets all.
    const from = since > lastSeq ? 0 : since
    return { at: Date.now(), counts, ...list, isObserved, happenings: happenings.since(from), lastSeq, session }
  }

  async stream(key: string, streamTag: string, after: number): Promise<StreamPage> {
    this.#look()
    const page = await this.#endpoint.sessions.events(key, streamTag, { after, limit: eventsPerPage })
    if (!page) return null
    const events = page.events.map(({ index, kind, last, data }) => ({ index, kind, last, text: textToShown(data) }))
    return { events, head: page.head, ended: page.ended }
  }

  async end(key: string): Promise<boolean> {
    const existed = await this.#endpoint.sessions.end(key)
    this.#records.delete(key)
    this.#list.forget()
    return existed
  }

  async #detail(key: string): Promise<SessionDetail | null> {
    const info = await this.#record(key)
    if (!info) return null
    const [row = toRow(info), streams] = await Promise.all([this.#list.find(key), this.#endpoint.sessions.streams(key)])
    return {
      row,
      initialized: info.initialized,
      endsInMs: info.endsInMs,
      logLevel: info.logLevel,
      subscriptions: info.subscriptions.slice(0, 20).map((uri) => toLine(uri)),
      clientCapabilities: toShown(info.initializeParams.capabilities),
      serverCapabilities: toShown(info.serverCapabilities),
      streams,
    }
  }

  /** To ask for one session asks another node for all that it has: not every second. */
  async #record(key: string): Promise<SessionInfo | undefined> {
    const known = this.#records.get(key)
    if (known && performance.now() - known.at < recordMs) return known.info
    this.#records.delete(key)
    const info = await this.#endpoint.sessions.get(key)
    if (!info) return undefined
    this.#records.set(key, { info, at: performance.now() })
    if (this.#records.size > maxRecords) this.#records.delete(this.#records.keys().next().value as string)
    return info
  }

  #look(): void {
    this.#happenings.start()
    this.#stay()
  }

  #stay(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#leave(), idleMs)
    if (typeof this.#timer === 'object') this.#timer.unref?.()
  }

  #leave(): void {
    this.#happenings.stop()
    this.#list.forget()
    this.#records.clear()
  }
}

function toCounts(endpoint: Endpoint): Counts {
  const { sessions, connections, streams, calls, questions, undeliveredMessages, log } = endpoint.stats()
  return {
    sessions,
    connections,
    streams,
    calls,
    questions,
    undeliveredMessages,
    logEvents: log.events,
    logBytes: log.bytes,
  }
}
