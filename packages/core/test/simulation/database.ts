import type {
  AppendOutcome,
  LogEvent,
  LogPage,
  LogPosition,
  SessionChanges,
  SessionRecord,
  Taking,
} from '../../src/index.ts'
import type { Checker } from './checker.ts'
import type { Random } from './random.ts'

/** Sentences of the contract of stores, each of which a database can be made to break. */
export const breaches = {
  'append: a lower term is fenced': 'appends of an owner that was replaced are stored',
  'append: a session that has ended is gone': 'appends to a session without a record begin a log anew',
  'append: repeated after a lost reply it is there once': 'a repeated append is stored twice',
  'append: repeated after a lost reply it gives ok': 'a repeated append is fenced',
  'append: the newest event is never dropped': 'to stay within the budget the newest event is dropped',
  'append: progress goes before notifications and messages': 'to stay within the budget messages go first',
  'append: those of one session take effect in order': 'appends overtake each other',
  'append: one that failed publishes nothing': 'what is told of events comes also when they are not stored',
  'read: every event that was appended before': 'a read now and then misses the newest event',
  'read: in order of index': 'a read now and then gives events in the wrong order',
  'read: a head that is the newest': 'the head is now and then that of the page',
  'read: the key of one session only': 'a read now and then gives the events of another session',
  'read: up to the limit, from after the cursor': 'a read now and then begins one event late',
  'read: the request ids of the stream': 'a page has no request ids',
  'read: whether the stream ended': 'a page never says that the stream ended',
  'log delete: only while no newer term has written': 'an owner that was replaced deletes the log',
  'release: not at once': 'a released stream is dropped at once',
  'update: only for the term of the record': 'an owner that was replaced updates the record',
  'update: false when the record is gone': 'updating a record that is gone gives true',
  'takeOver: refused while the lease of the owner runs': 'a session is taken over from a node that lives',
  'takeOver: refused when the term is another': 'a second node takes over with the term of the first',
  'takeOver: with the term after': 'a takeover keeps the term',
  'takeOver: refused, it returns the record': 'a refused takeover says that the session is gone',
  'delete: only for the term given': 'an owner that was replaced deletes the record',
  'hasLease: while it runs': 'a lease that runs is now and then said to be over',
  'hasLease: no longer': 'a lease that is over is said to run',
  'renewLease: from now': 'a renewed lease is not prolonged',
  'renewLease: with 0 it is over': 'a lease that was given up runs on',
  'outage: get rejects': 'while the database is away records are said to be unknown',
  'outage: append rejects': 'while the database is away logs are said to be gone',
  'outage: hasLease rejects': 'while the database is away leases are said to be over',
  'bus: a lost message is all that is lost': 'no message ever comes',
  'bus: in order': 'messages of one publisher overtake each other',
  'bus: channels are kept apart': 'messages now and then come to another channel',
} as const

export type Sentence = keyof typeof breaches

export interface DatabaseParts {
  readonly now: () => number
  readonly random: Random
  readonly checker: Checker
  /** Events of one session that are kept at most. */
  readonly maxEvents: number
  /** The sentence that this database breaks. */
  readonly broken: Sentence | undefined
}

interface StreamEntry {
  events: LogEvent[]
  newest: LogEvent
}

interface LogEntry {
  term: number
  newest: LogPosition
  size: number
  readonly streams: Map<string, StreamEntry>
}

/**
 * The contract of stores, written down once more as plainly as can be: a log that looks at the record, as Redis and
 * Postgres have it. Each method takes effect at once; what comes between it and a node is the link's affair.
 */
export class Database {
  readonly #parts: DatabaseParts
  readonly #records = new Map<string, SessionRecord>()
  readonly #leases = new Map<string, number>()
  readonly #logs = new Map<string, LogEntry>()

  constructor(parts: DatabaseParts) {
    this.#parts = parts
  }

  breaks(sentence: Sentence): boolean {
    return this.#parts.broken === sentence
  }

  /** Of breaches that are not always seen. */
  breaksNow(sentence: Sentence): boolean {
    return this.breaks(sentence) && this.#parts.random.chance(0.2)
  }

  // ---- SessionStore ----

  create(record: SessionRecord): boolean {
    if (this.#records.has(record.key)) return false
    this.#records.set(record.key, record)
    this.#parts.checker.owned(record, undefined)
    return true
  }

  get(key: string): SessionRecord | undefined {
    return this.#records.get(key)
  }

  update(key: string, term: number, changes: SessionChanges): boolean {
    const record = this.#records.get(key)
    if (!record) return this.breaks('update: false when the record is gone')
    if (record.term !== term && !this.breaks('update: only for the term of the record')) return false
    this.#records.set(key, { ...record, ...changes })
    return true
  }

  takeOver(key: string, { expectedTerm, owner }: Taking): SessionRecord | undefined {
    const record = this.#records.get(key)
    if (!record) return undefined
    const isOther = record.term !== expectedTerm
    const isOwned = record.owner !== owner && this.leaseRuns(record.owner)
    const refused =
      (isOther && !this.breaks('takeOver: refused when the term is another')) ||
      (isOwned && !this.breaks('takeOver: refused while the lease of the owner runs') && !this.#isSecond(isOther))
    if (refused) return this.breaks('takeOver: refused, it returns the record') ? undefined : record
    const term = this.breaks('takeOver: with the term after') ? record.term : expectedTerm + 1
    const taken = { ...record, owner, term }
    this.#records.set(key, taken)
    this.#parts.checker.owned(taken, { record, leaseRuns: isOwned && !isOther })
    return taken
  }

  /** Two nodes that saw the same term are both let through. */
  #isSecond(isOther: boolean): boolean {
    return isOther && this.breaks('takeOver: refused when the term is another')
  }

  delete(key: string, term?: number): boolean {
    const record = this.#records.get(key)
    if (!record) return false
    if (term !== undefined && record.term !== term && !this.breaks('delete: only for the term given')) return false
    this.#parts.checker.ended(key)
    return this.#records.delete(key)
  }

  list(): SessionRecord[] {
    return [...this.#records.values()]
  }

  renewLease(node: string, leaseMs: number): boolean {
    const ran = this.leaseRuns(node)
    if (leaseMs === 0 && this.breaks('renewLease: with 0 it is over')) return ran
    if (this.#leases.has(node) && leaseMs > 0 && this.breaks('renewLease: from now')) return ran
    this.#leases.set(node, this.#parts.now() + leaseMs)
    return ran
  }

  hasLease(node: string): boolean {
    if (this.breaks('hasLease: no longer') && this.#leases.has(node)) return true
    return this.leaseRuns(node) && !this.breaksNow('hasLease: while it runs')
  }

  leaseRuns(node: string): boolean {
    return (this.#leases.get(node) ?? 0) > this.#parts.now()
  }

  // ---- EventLog ----

  append(key: string, events: readonly LogEvent[]): AppendOutcome {
    const newest = events.at(-1) as LogEvent
    const record = this.#records.get(key)
    if (!record && !this.breaks('append: a session that has ended is gone')) return 'gone'
    const log = this.#logOf(key)
    const isFenced = newest.position.term < Math.max(record?.term ?? 0, log.term)
    if (isFenced && !this.breaks('append: a lower term is fenced')) return 'fenced'
    // The others may have been dropped since, the newest never is.
    if (this.#isThere(log, newest)) {
      if (this.breaks('append: repeated after a lost reply it gives ok')) return 'fenced'
      if (!this.breaks('append: repeated after a lost reply it is there once')) return 'ok'
    }
    for (const event of events) {
      this.#put(key, log, event)
      this.#parts.checker.appended(key, event, record?.term)
    }
    return 'ok'
  }

  read(key: string, streamTag: string, after: number, limit: number): LogPage | undefined {
    const isMixedUp = this.breaksNow('read: the key of one session only')
    const asked = isMixedUp ? this.#parts.random.pick([...this.#logs.keys()]) : key
    const stream = this.#logs.get(asked)?.streams.get(streamTag)
    if (!stream) return undefined
    const from = this.breaksNow('read: up to the limit, from after the cursor') ? after + 1 : after
    const events = stream.events.filter(({ index }) => index > from).slice(0, limit)
    if (events.at(-1) === stream.newest && this.breaksNow('read: every event that was appended before')) events.pop()
    if (this.breaksNow('read: in order of index')) events.reverse()
    const isOld = this.breaksNow('read: a head that is the newest') && stream.events.length > 1
    const { index, position, last, requestIds } = isOld ? (stream.events[0] as LogEvent) : stream.newest
    return {
      events,
      head: index,
      headPosition: position,
      ended: last && !this.breaks('read: whether the stream ended'),
      requestIds: this.breaks('read: the request ids of the stream') ? [] : requestIds,
    }
  }

  release(key: string, streamTag: string): void {
    const log = this.#logs.get(key)
    const stream = log?.streams.get(streamTag)
    if (log && stream && this.breaks('release: not at once')) this.#dropEvents(key, log, stream)
  }

  deleteLog(key: string, term?: number): void {
    const log = this.#logs.get(key)
    const current = Math.max(this.#records.get(key)?.term ?? 0, log?.term ?? 0)
    const isOld = term !== undefined && term < current
    if (isOld && !this.breaks('log delete: only while no newer term has written')) return
    this.#parts.checker.ended(key)
    this.#logs.delete(key)
  }

  #logOf(key: string): LogEntry {
    let log = this.#logs.get(key)
    if (!log) {
      log = { term: 0, newest: { term: 0, n: 0 }, size: 0, streams: new Map() }
      this.#logs.set(key, log)
    }
    return log
  }

  #isThere({ streams }: LogEntry, { streamTag, index, position }: LogEvent): boolean {
    const known = streams.get(streamTag)?.events.find((event) => event.index === index)
    return known !== undefined && known.position.term === position.term && known.position.n === position.n
  }

  #put(key: string, log: LogEntry, event: LogEvent): void {
    const stream = log.streams.get(event.streamTag)
    if (stream) {
      stream.events.push(event)
      stream.newest = event
    } else log.streams.set(event.streamTag, { events: [event], newest: event })
    log.term = Math.max(log.term, event.position.term)
    log.newest = event.position
    log.size++
    if (log.size > this.#parts.maxEvents) this.#dropCheapest(key, log, event)
  }

  /** Progress first, then notifications, oldest first, then streams that ended. */
  #dropCheapest(key: string, log: LogEntry, newest: LogEvent): void {
    if (this.breaks('append: the newest event is never dropped')) return this.#dropEvent(key, log, newest)
    const streams = [...log.streams.values()]
    const events = streams.flatMap((stream) => stream.events).filter((event) => event !== newest && event.data !== '')
    const isReversed = this.breaks('append: progress goes before notifications and messages')
    for (const kind of isReversed ? ['message'] : ['progress', 'notification']) {
      const oldest = events.find((event) => event.kind === kind)
      if (oldest) return this.#dropEvent(key, log, oldest)
    }
    const ended = streams.find((stream) => stream.newest.last && stream.newest !== newest && stream.events.length > 0)
    if (ended) this.#dropEvents(key, log, ended)
  }

  #dropEvent(key: string, log: LogEntry, event: LogEvent): void {
    const stream = log.streams.get(event.streamTag) as StreamEntry
    stream.events = stream.events.filter((kept) => kept !== event)
    log.size--
    this.#parts.checker.dropped(key, event)
  }

  #dropEvents(key: string, log: LogEntry, stream: StreamEntry): void {
    for (const event of stream.events) this.#parts.checker.dropped(key, event)
    log.size -= stream.events.length
    stream.events = []
  }
}
