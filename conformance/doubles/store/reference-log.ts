import type { AppendOutcome, BusMessage, EventLog, LogEvent, LogPage, LogPosition } from '@throughline/mcp-http-core'
import {
  type Deployment,
  endLogs,
  type FakeConnection,
  forEver,
  type Log,
  type Row,
  type StreamRow,
  wait,
} from './fake-database.ts'
import { type Budget, shareBudget, toName, trim } from './reference-budget.ts'
import type { ReferenceBus } from './reference-bus.ts'
import { isLive, toRecord } from './reference-sessions.ts'
import type { Node } from './reference-store.ts'

/**
 * An event log as plain as it gets: a list of events for each session. Where it can be broken, it asks for the defect.
 */
export class ReferenceLog implements EventLog {
  readonly #node: Node
  readonly #connection: FakeConnection
  readonly #prefix: string
  readonly #bus: ReferenceBus
  readonly #budget: Budget
  readonly #unknown = new Set<string>()
  readonly #known = new Set<string>()
  readonly #rejected: { sessionKey: string; events: readonly LogEvent[] }[] = []
  #underWay = 0
  #appended = 0

  constructor(node: Node, bus: ReferenceBus, maxEvents: number) {
    this.#node = node
    this.#bus = bus
    this.#connection = node.connection
    this.#prefix = node.has('prefix-not-used-by-events') ? 'mcp' : node.prefix
    this.#budget = { maxEvents, has: node.has }
  }

  async append(sessionKey: string, events: readonly LogEvent[]): Promise<AppendOutcome> {
    return await this.#appendWith([], sessionKey, events)
  }

  async appendAndPublish(
    sessionKey: string,
    events: readonly LogEvent[],
    messages: readonly BusMessage[],
  ): Promise<AppendOutcome> {
    const { has } = this.#node
    if (has('appends-publish-nothing')) return await this.append(sessionKey, events)
    if (has('published-appends-keep-the-last')) return await this.#appendWith(messages, sessionKey, events.slice(-1))
    if (has('published-before-it-is-there')) await this.#publishEarly(messages)
    return await this.#appendWith(messages, sessionKey, events)
  }

  async #publishEarly(messages: readonly BusMessage[]): Promise<void> {
    await this.#run((deployment) => this.#publish(deployment, messages))
    await wait(20)
  }

  async #publishLate(messages: readonly BusMessage[]): Promise<void> {
    await wait(20)
    await this.#run((deployment) => this.#publish(deployment, messages))
  }

  #publish(deployment: Deployment, messages: readonly BusMessage[]): void {
    for (const { channel, message } of messages) this.#bus.send(deployment, channel, message)
  }

  async #appendWith(
    messages: readonly BusMessage[],
    sessionKey: string,
    given: readonly LogEvent[],
  ): Promise<AppendOutcome> {
    const { has } = this.#node
    const events = has('batches-are-reversed') ? given.toReversed() : given
    this.#underWay++
    for (const { streamTag } of events) this.#unknown.delete(`${sessionKey} ${streamTag}`)
    try {
      await this.#holdUp(events)
      const isAlone = this.#underWay === 1
      if (has('batches-are-taken-apart')) await this.#appendApart(sessionKey, events.slice(0, -1))
      const isHeldBack = has('published-messages-overtake') && (events[0]?.index ?? 0) % 4 === 3
      const outcome = await this.#run((deployment) => {
        const appended = this.#append(deployment, sessionKey, events, isAlone)
        const isPublished = appended === 'ok' || has('failed-appends-publish')
        if (isPublished && !isHeldBack) this.#publish(deployment, messages)
        return appended
      })
      if (isHeldBack) await this.#publishLate(messages)
      this.#appended += events.length
      if (has('rejected-appends-come-later')) await this.#appendRejected()
      return outcome
    } catch (error) {
      this.#rejected.push({ sessionKey, events })
      throw error
    } finally {
      this.#underWay--
    }
  }

  /** Nothing, unless other appends are to go first. */
  #holdUp([event]: readonly LogEvent[]): Promise<void> | undefined {
    const { has } = this.#node
    const index = event?.index ?? 0
    if (has('appends-overtake-each-other') && this.#underWay > 250 && index % 2 === 0) return wait(20)
    if (has('every-seventh-append-comes-late') && this.#underWay > 5 && index % 7 === 0) return wait(20)
    return undefined
  }

  async #appendRejected(): Promise<void> {
    for (const { sessionKey, events } of this.#rejected.splice(0)) {
      await this.#run((deployment) => this.#append(deployment, sessionKey, events, true))
    }
  }

  /** One after another, so that a read comes between. */
  async #appendApart(sessionKey: string, events: readonly LogEvent[]): Promise<void> {
    for (const event of events) {
      await this.#run((deployment) => this.#append(deployment, sessionKey, [event], true))
      await wait(1)
    }
  }

  #append(deployment: Deployment, sessionKey: string, events: readonly LogEvent[], isAlone: boolean): AppendOutcome {
    let outcome: AppendOutcome = 'ok'
    for (const event of events) {
      const isSpared = event !== events.at(-1) && this.#node.has('newest-of-a-batch-is-fenced')
      outcome = this.#appendOne(deployment, sessionKey, event, { isAlone, isSpared })
      if (outcome !== 'ok' && !isSpared) break
    }
    return outcome
  }

  #appendOne(
    deployment: Deployment,
    sessionKey: string,
    event: LogEvent,
    { isAlone, isSpared }: { readonly isAlone: boolean; readonly isSpared: boolean },
  ): AppendOutcome {
    const { has } = this.#node
    const [key, streamTag] = this.#toPlace(sessionKey, event.streamTag)
    if (has('append-after-delete-is-fenced') && deployment.tombstones.has(`log ${key}`)) return 'fenced'
    const log: Log = deployment.logs.get(key) ?? createLog(deployment.rows.get(key))
    const refusal = isSpared ? undefined : (this.#refuse(log, event) ?? this.#refuseByRecord(deployment, key, event))
    if (refusal === undefined && has('repeated-append-is-fenced') && isKept(log, event)) return 'fenced'
    if (refusal !== undefined) {
      if (has('fenced-append-leaves-a-row')) addTo(deployment.hidden, key, 1)
      if (has('gone-append-leaves-a-row') && refusal === 'gone') addTo(deployment.hidden, key, 1)
      const stream = log.streams.get(streamTag)
      if (has('fenced-append-ends-the-stream') && stream && event.last) stream.ended = true
      if (!has('fenced-under-way-is-written') || isAlone) return refusal
    }
    deployment.logs.set(key, log)
    log.term = Math.max(log.term, event.position.term)
    this.#write(log, { ...event, streamTag })
    if (has('budget-is-shared')) shareBudget([...deployment.logs.values()], this.#budget)
    return refusal ?? 'ok'
  }

  #refuse({ term, streams }: Log, { position, streamTag }: LogEvent): AppendOutcome | undefined {
    const { has } = this.#node
    if (has('terms-may-not-be-skipped') && term > 0 && position.term > term + 1) return 'gone'
    if (has('outage-lifts-the-fence') && this.#connection.cuts > 0) return undefined
    const fence = has('fenced-by-stream') ? (streams.get(streamTag)?.headPosition.term ?? 0) : term
    return position.term < fence ? 'fenced' : undefined
  }

  /** Where the log looks at the session's record. */
  #refuseByRecord({ rows, tombstones }: Deployment, key: string, { position }: LogEvent): AppendOutcome | undefined {
    const { has, isJoined } = this.#node
    if (!isJoined) return undefined
    if (tombstones.has(`log ${key}`)) return 'gone'
    const row = rows.get(key)
    if (!row && has('record-is-looked-for-once') && this.#known.has(key)) return undefined
    if (!row || !(isLive(row) || has('log-takes-expired-records'))) return 'gone'
    this.#known.add(key)
    if (has('record-does-not-fence')) return undefined
    return position.term < toRecord(row).term ? 'fenced' : undefined
  }

  #write(log: Log, event: LogEvent): void {
    const { has } = this.#node
    const { term } = event.position
    const stream = log.streams.get(event.streamTag) ?? begin(event)
    log.streams.set(event.streamTag, stream)
    // A repetition after a lost reply.
    const isNewest = isSame(stream.headPosition, event.position)
    const mayBeKnown = stream.headPosition.term === term && stream.headPosition.n > event.position.n
    const isKnown = isNewest || (mayBeKnown && !has('only-the-newest-is-known') && isKept(log, event))
    if (isKnown && !has('repeated-append-is-written-twice')) return
    stream.ended ||= event.last || (has('empty-text-ends-the-stream') && event.data === '')
    if (has('empty-ends-are-left-out') && event.last && event.data === '') return
    stream.head = Math.max(stream.head, event.index)
    stream.headPosition = has('head-keeps-its-first-term')
      ? { ...event.position, term: stream.firstTerm }
      : event.position
    log.events.push({ ...event, data: this.#toData(event.data) })
    if (has('every-seventh-append-comes-late')) log.events.sort((a, b) => a.index - b.index)
    trim(log, event, this.#budget)
  }

  #toData(data: string): string {
    const { has } = this.#node
    if (has('data-is-written-anew') && data !== '') return JSON.stringify(JSON.parse(data))
    return has('long-data-is-cut') ? data.slice(0, 1_000_000) : data
  }

  async read(
    sessionKey: string,
    streamTag: string,
    after: number,
    limit: number,
    from?: LogPosition,
  ): Promise<LogPage | undefined> {
    const { has } = this.#node
    if (has('outage-reads-as-unknown') && this.#connection.isCut) return undefined
    if (has('unknown-streams-are-remembered') && this.#unknown.has(`${sessionKey} ${streamTag}`)) return undefined
    const page = await this.#run(({ logs }) => {
      const [key, tag] = this.#toPlace(sessionKey, streamTag)
      const log = logs.get(key)
      const stream = log?.streams.get(tag)
      if (log && stream) return this.#toPage(log, stream, { tag, after, limit, from })
      return log && has('unknown-streams-are-empty') ? emptyPage : undefined
    })
    if (!page) this.#unknown.add(`${sessionKey} ${streamTag}`)
    return page
  }

  #toPage(log: Log, stream: StreamRow, { tag, after, limit, from }: Wanted): LogPage {
    const { has } = this.#node
    const start = has('cursor-beyond-the-head-starts-over') && after > stream.head ? 0 : after
    const most = has('limit-zero-means-all') && limit === 0 ? Infinity : limit
    const seen = has('limit-counts-other-streams') && limit < 100 ? log.events.slice(0, 40 * limit + start) : log.events
    const found = from ? this.#skip(seen, from) : seen
    const events = found.filter((event) => event.streamTag === tag && event.index > start).slice(0, most)
    if (has('log-ends-at-five-thousand') && after > 5_000) events.length = 0
    const last = events.at(-1)
    return {
      events: this.#toRead(events),
      head: has('head-of-the-page') && last ? last.index : stream.head,
      headPosition: stream.headPosition,
      ended: has('end-of-the-page') ? last?.last === true : stream.ended,
      requestIds: this.#toRequestIds(stream.requestIds),
    }
  }

  /** Those from the position on. */
  #skip(events: readonly LogEvent[], from: LogPosition): readonly LogEvent[] {
    const { has } = this.#node
    if (has('from-counts-in-the-stream')) return events.filter(({ index }) => index >= from.n)
    if (has('from-compares-numbers-alone')) return events.filter(({ position }) => position.n >= from.n)
    if (has('from-must-be-there') && !events.some(({ position }) => isSame(position, from))) return []
    return events.filter(({ position: { term, n } }) => term > from.term || (term === from.term && n >= from.n))
  }

  #toRead(events: readonly LogEvent[]): LogEvent[] {
    const { has } = this.#node
    const lastIndex = events.at(-1)?.index ?? 0
    return events.map((event, i) => ({
      ...event,
      kind: has('notifications-are-messages') && event.kind === 'notification' ? 'message' : event.kind,
      index: has('dropped-are-renumbered') ? lastIndex - events.length + 1 + i : event.index,
      requestIds: this.#toRequestIds(event.requestIds),
    }))
  }

  #toRequestIds(requestIds: LogEvent['requestIds']): LogEvent['requestIds'] {
    if (!this.#node.has('numeric-ids-become-numbers')) return requestIds
    return requestIds.map((requestId) => (requestId === '1' ? 1 : requestId))
  }

  release(sessionKey: string, streamTag: string): void {
    const releasing = this.#run(({ logs }) => {
      const stream = logs.get(sessionKey)?.streams.get(streamTag)
      if (stream) stream.released = !this.#node.has('delivery-is-not-heeded')
      if (stream && this.#node.has('release-drops-at-once')) removeStream(logs.get(sessionKey), streamTag)
    })
    // It only says what may be dropped earlier.
    releasing.catch(() => undefined)
  }

  settle(sessionKey: string, streamTag: string, index: number): void {
    if (this.#node.has('settling-is-not-heeded')) return
    const settling = this.#run(({ logs }) => logs.get(sessionKey)?.settled.add(toName({ streamTag, index })))
    settling.catch(() => undefined)
  }

  async delete(sessionKey: string, term?: number): Promise<void> {
    const { has, isFirst } = this.#node
    if (has('only-the-first-node-deletes') && !isFirst) return
    if (has('delete-waits-for-ever') && this.#connection.isCut) await forEver
    await this.#run((deployment) => {
      const log = deployment.logs.get(sessionKey)
      if (!log && has('delete-of-nothing-rejects')) throw new RangeError('No such log')
      if (log && term !== undefined && this.#isSucceeded(deployment, sessionKey, term)) return
      if (log && term !== undefined && has('log-delete-takes-its-own-term')) {
        log.events = log.events.filter(({ position }) => position.term !== term)
        return
      }
      if (log && has('delete-only-hides')) addTo(deployment.hidden, sessionKey, log.events.length)
      deployment.tombstones.add(`log ${sessionKey}`)
      const leavesOne = has('delete-takes-the-first-stream') && (log?.streams.size ?? 0) > 1
      if (leavesOne) removeStream(log, log?.streams.keys().next().value)
      else deployment.logs.delete(sessionKey)
    })
  }

  /** Whether a newer term has written, or, where the log looks at the record, has taken over. */
  #isSucceeded({ logs, rows }: Deployment, key: string, term: number): boolean {
    const { has, isJoined } = this.#node
    if (has('log-delete-takes-any-term')) return false
    const row = isJoined && !has('log-delete-asks-the-log-alone') ? rows.get(key) : undefined
    return term < Math.max(logs.get(key)?.term ?? 0, row ? toRecord(row).term : 0)
  }

  /** Nothing is held on this node. */
  stats(): ReturnType<EventLog['stats']> {
    const events = this.#node.has('stats-never-go-down') ? this.#appended : 0
    return { sessions: 0, streams: 0, events, bytes: 0 }
  }

  #run<T>(command: (deployment: Deployment) => T): Promise<T> {
    return this.#connection.run(this.#prefix, (deployment) => {
      endLogs(deployment, this.#node.has)
      return command(deployment)
    })
  }

  #toPlace(sessionKey: string, streamTag: string): readonly [string, string] {
    const { has } = this.#node
    if (has('session-keys-are-trimmed')) return [sessionKey.trim(), streamTag]
    if (has('tags-are-case-insensitive')) return [sessionKey, streamTag.toLowerCase()]
    if (!has('key-and-tag-are-joined')) return [sessionKey, streamTag]
    const [key = '', ...tag] = `${sessionKey}:${streamTag}`.split(':')
    return [key, tag.join(':')]
  }
}

interface Wanted {
  readonly tag: string
  readonly after: number
  readonly limit: number
  readonly from: LogPosition | undefined
}

const emptyPage: LogPage = { events: [], head: 0, headPosition: { term: 0, n: 0 }, ended: false, requestIds: [] }

function begin({ position, requestIds }: LogEvent): StreamRow {
  const nowhere = { term: 0, n: 0 }
  return { firstTerm: position.term, requestIds, head: 0, headPosition: nowhere, ended: false, released: false }
}

function createLog(row: Row | undefined): Log {
  const endsAt = row && isLive(row) ? row.expiresAt : Number.POSITIVE_INFINITY
  return { term: 0, endsAt, events: [], streams: new Map(), settled: new Set() }
}

function isSame(one: LogPosition, other: LogPosition): boolean {
  return one.term === other.term && one.n === other.n
}

function isKept({ events }: Log, { position }: LogEvent): boolean {
  return events.some((kept) => isSame(kept.position, position))
}

function removeStream(log: Log | undefined, streamTag: string | undefined): void {
  if (!log || streamTag === undefined) return
  log.streams.delete(streamTag)
  log.events = log.events.filter((event) => event.streamTag !== streamTag)
}

function addTo(counts: Map<string, number>, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count)
}
