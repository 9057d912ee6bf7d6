import { expected } from '../option-checks.ts'
import type { AppendOutcome, EventLog, LogEvent, LogPage, SessionRecord } from './backplane.ts'
import type { ReadOutcome } from './store-calls.ts'

type Members = Readonly<Record<string, unknown>>

// What comes from a store is passed on as it came: these only look.

export function readNothing(): void {
  return
}

export function readBoolean(outcome: unknown): boolean {
  if (typeof outcome === 'boolean') return outcome
  throw expected('true or false', outcome)
}

export function readAppendOutcome(outcome: unknown): AppendOutcome {
  if (outcome === 'ok' || outcome === 'fenced' || outcome === 'gone') return outcome
  throw expected("'ok', 'fenced' or 'gone'", outcome)
}

/** A database's `null` is nothing as well. */
export function readOptional<T>(read: ReadOutcome<T>): ReadOutcome<T | undefined> {
  return (outcome) => (outcome === undefined || outcome === null ? undefined : read(outcome))
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isTextOrNull = (value: unknown): boolean => value === null || isText(value)
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
const isBoolean = (value: unknown): boolean => typeof value === 'boolean'
const isArrayOf = (isItem: (item: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.every(isItem)
const isRequestId = (value: unknown): boolean => isText(value) || typeof value === 'number'

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isPosition(value: unknown): boolean {
  return isMembers(value) && isCount(value.term) && isCount(value.n)
}

type Shape<T> = { readonly [Name in keyof Required<T>]: (value: unknown) => boolean }

const recordShape: Shape<SessionRecord> = {
  key: isText,
  principal: isTextOrNull,
  protocolVersion: isText,
  initializeParams: isMembers,
  serverCapabilities: isMembers,
  createdAt: Number.isFinite,
  term: isCount,
  owner: isText,
  initialized: isBoolean,
  logLevel: isTextOrNull,
  subscriptions: isArrayOf(isText),
}

const eventShape: Shape<LogEvent> = {
  streamTag: isText,
  index: isCount,
  position: isPosition,
  kind: isText,
  data: isText,
  last: isBoolean,
  requestIds: isArrayOf(isRequestId),
}

const pageShape: Shape<LogPage> = {
  events: Array.isArray,
  head: isCount,
  headPosition: isPosition,
  ended: isBoolean,
  requestIds: isArrayOf(isRequestId),
}

const statsShape: Shape<ReturnType<EventLog['stats']>> = {
  sessions: isCount,
  streams: isCount,
  events: isCount,
  bytes: isCount,
}

function shaped<T>(what: string, shape: Shape<T>): ReadOutcome<T> {
  const tests = Object.entries<(value: unknown) => boolean>(shape)
  return (outcome) => {
    if (!isMembers(outcome)) throw expected(what, outcome)
    for (const [name, test] of tests) {
      if (!test(outcome[name])) throw expected(`${what} with a proper ${name}`, outcome[name])
    }
    return outcome as T
  }
}

const readAnyRecord = shaped<SessionRecord>('a session record', recordShape)
const readEvent = shaped<LogEvent>('an event', eventShape)
const readAnyPage = shaped<LogPage>('a page', pageShape)

export const readStats = shaped('counts', statsShape)

/** The record that was asked for, and no other: a mix-up would give one client another's session. */
export function readRecord(key?: string): ReadOutcome<SessionRecord> {
  return (outcome) => {
    const record = readAnyRecord(outcome)
    if (key !== undefined && record.key !== key) throw expected(`the record of ${key}`, record.key)
    return record
  }
}

/**
 * Indexes rise above the cursor: a reader that is given the same event again would never come to an end. Events are of
 * the stream that was asked for, and have no line breaks, which would make others of them on the wire.
 */
export function readPage(streamTag: string, after: number): ReadOutcome<LogPage> {
  return (outcome) => {
    const page = readAnyPage(outcome)
    let before = after
    for (const event of page.events) {
      const { index, data, streamTag: tag } = readEvent(event)
      if (index <= before) throw expected(`an event with an index above ${before}`, index)
      if (tag !== streamTag) throw expected(`an event of stream ${streamTag}`, tag)
      if (/[\r\n]/.test(data)) throw expected('an event whose data is JSON without line breaks', data)
      before = index
    }
    return page
  }
}

export function readUnsubscribe(outcome: unknown): () => unknown {
  if (typeof outcome === 'function') return outcome as () => unknown
  throw expected('a function that ends the subscription', outcome)
}

/** `next` of either kind of iterator. */
export function readIterator(outcome: unknown): AsyncIterator<unknown> | Iterator<unknown> {
  const records = outcome as Partial<AsyncIterable<unknown> & Iterable<unknown>> | null | undefined
  const iterator = records?.[Symbol.asyncIterator]?.() ?? records?.[Symbol.iterator]?.()
  if (typeof iterator?.next === 'function') return iterator
  throw expected('something to iterate over', outcome)
}

export function readIteratorResult(outcome: unknown): IteratorResult<unknown> {
  if (isMembers(outcome)) return outcome as unknown as IteratorResult<unknown>
  throw expected('a result of an iterator', outcome)
}
