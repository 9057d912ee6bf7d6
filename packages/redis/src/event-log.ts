import type {
  AppendOutcome,
  BusMessage,
  EventKind,
  EventLog,
  LogEvent,
  LogPage,
  LogPosition,
} from '@throughline/mcp-http-core'
import type { RedisPort } from './client/redis-port.ts'
import { Script } from './client/script.ts'
import { type Keys, toName } from './keys.ts'
import * as scripts from './log-scripts.ts'
import { Turns } from './turns.ts'

const append = new Script(scripts.append)
const trim = new Script(scripts.trim)
const release = new Script(scripts.release)
const settle = new Script(scripts.settle)
const remove = new Script(scripts.remove)

export interface LogBounds {
  readonly maxEventsPerSession: number
  readonly maxBytesPerSession: number
  readonly retainMs: number
}

/** Events of all streams of a session that are looked at with one command. */
const pageSize = 256

const kinds: Readonly<Record<string, EventKind>> = { p: 'progress', n: 'notification', m: 'message' }

export class RedisEventLog implements EventLog {
  readonly #redis: RedisPort
  readonly #keys: Keys
  readonly #bounds: LogBounds
  /** A script that a server does not know is sent again, and must not be overtaken. */
  readonly #turns = new Turns()

  constructor(redis: RedisPort, keys: Keys, bounds: LogBounds) {
    this.#redis = redis
    this.#keys = keys
    this.#bounds = bounds
  }

  append(sessionKey: string, events: readonly LogEvent[]): Promise<AppendOutcome> {
    return this.appendAndPublish(sessionKey, events, [])
  }

  appendAndPublish(
    sessionKey: string,
    events: readonly LogEvent[],
    messages: readonly BusMessage[],
  ): Promise<AppendOutcome> {
    return this.#turns.take(sessionKey, async () => {
      const { maxEventsPerSession, maxBytesPerSession, retainMs } = this.#bounds
      const budget = [maxEventsPerSession, maxBytesPerSession]
      const term = events[0]?.position.term ?? 0
      const keys = this.#keys.ofSession(sessionKey)
      const published = messages.flatMap(({ channel, message }) => [this.#keys.ofChannel(channel), message])
      const args = [term, ...budget, messages.length, ...published, ...events.flatMap(toArguments)]
      const outcome = await append.run(this.#redis, keys, args)
      if (outcome !== 'over') return outcome as AppendOutcome
      // The events are stored, whatever becomes of this: the next that is over tries again.
      await trim.run(this.#redis, keys, [term, retainMs, ...budget]).catch(() => undefined)
      return 'ok'
    })
  }

  async read(
    sessionKey: string,
    streamTag: string,
    after: number,
    limit: number,
    from?: LogPosition,
  ): Promise<LogPage | undefined> {
    const [, log, streams] = this.#keys.ofSession(sessionKey)
    const tag = toName(streamTag)
    const stream = toStream(await this.#redis.command(streams, ['HGET', streams, tag]))
    if (!stream) return undefined
    const { head, headId, firstId, flag, requestIds } = stream
    const events: LogEvent[] = []
    let start = from ? toId(from) : firstId
    // What was appended since is not on this page.
    while (events.length < limit && after < head && flag !== 'd') {
      const page = await this.#redis.command(log, ['XRANGE', log, start, headId, 'COUNT', String(pageSize)])
      const entries = page as Entry[]
      for (const [id, fields] of entries) {
        if (fields[1] !== tag || Number(fields[3]) <= after || events.length === limit) continue
        events.push(toEvent(id, fields, { streamTag, requestIds }))
      }
      const last = entries.at(-1)
      if (!last || entries.length < pageSize) break
      start = `(${last[0]}`
    }
    return { events, head, headPosition: toPosition(headId), ended: flag !== 'o', requestIds }
  }

  release(sessionKey: string, streamTag: string): void {
    this.#hint(release, sessionKey, [this.#bounds.retainMs, toName(streamTag)])
  }

  settle(sessionKey: string, streamTag: string, index: number): void {
    this.#hint(settle, sessionKey, [toName(streamTag), index])
  }

  delete(sessionKey: string, term?: number): Promise<void> {
    return this.#turns.take(sessionKey, async () => {
      await remove.run(this.#redis, this.#keys.ofSession(sessionKey), [term ?? ''])
    })
  }

  /** Nothing is held on the node. */
  stats(): { sessions: number; streams: number; events: number; bytes: number } {
    return { sessions: 0, streams: 0, events: 0, bytes: 0 }
  }

  /** What may be dropped earlier is no loss if it is not. */
  #hint(script: Script, sessionKey: string, args: readonly (string | number)[]): void {
    script.run(this.#redis, this.#keys.ofSession(sessionKey), args).catch(() => undefined)
  }
}

/** As `XRANGE` gives it. */
type Entry = readonly [id: string, fields: readonly string[]]

function toId({ term, n }: LogPosition): string {
  return `${term}-${n}`
}

function toPosition(id: string): LogPosition {
  const [term, n] = id.split('-').map(Number)
  return { term: term as number, n: n as number }
}

function toArguments({ position, streamTag, index, kind, data, last, requestIds }: LogEvent): (string | number)[] {
  const flags = [kind.charAt(0), data, last ? 'e' : 'o']
  return [toId(position), toName(streamTag), index, ...flags, JSON.stringify(requestIds)]
}

/** From what `log-scripts.ts` writes down of a stream. */
function toStream(reply: unknown) {
  const [head = '', headId = '', firstId = '', flag, ...json] = String(reply ?? '').split(' ')
  if (flag === undefined) return undefined
  return { head: Number(head), headId, firstId, flag, requestIds: JSON.parse(json.join(' ')) as LogEvent['requestIds'] }
}

function toEvent(id: string, fields: readonly string[], stream: Pick<LogEvent, 'streamTag' | 'requestIds'>): LogEvent {
  const [, , , index, , kind = '', , data = ''] = fields
  return {
    ...stream,
    index: Number(index),
    position: toPosition(id),
    kind: kinds[kind.charAt(0)] ?? 'message',
    data,
    last: kind.endsWith('e'),
  }
}
