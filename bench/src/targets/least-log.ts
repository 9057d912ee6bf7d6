import type { EventLog, LogEvent } from '@throughline/mcp-http-core'

/**
 * The least that an event log can do: connections read from it what came before they opened and what they were too slow
 * for, so that one that keeps nothing loses events. Keeps a stream until it was delivered, without any bounds; nobody can
 * resume after that.
 */
export class LeastLog implements EventLog {
  readonly #sessions = new Map<string, Map<string, LogEvent[]>>()

  append(sessionKey: string, events: readonly LogEvent[]): 'ok' {
    const streams = this.#sessions.get(sessionKey) ?? new Map<string, LogEvent[]>()
    if (streams.size === 0) this.#sessions.set(sessionKey, streams)
    for (const event of events) {
      const kept = streams.get(event.streamTag)
      if (kept) kept.push(event)
      else streams.set(event.streamTag, [event])
    }
    return 'ok'
  }

  read(sessionKey: string, streamTag: string, after: number, limit: number) {
    const events = this.#sessions.get(sessionKey)?.get(streamTag)
    const newest = events?.at(-1)
    if (!events || !newest) return undefined
    return {
      // Indexes count from 1 without gaps, and none is dropped.
      events: events.slice(after, after + limit),
      head: newest.index,
      headPosition: newest.position,
      ended: newest.last,
      requestIds: newest.requestIds,
    }
  }

  release(sessionKey: string, streamTag: string): void {
    this.#sessions.get(sessionKey)?.delete(streamTag)
  }

  delete(sessionKey: string): void {
    this.#sessions.delete(sessionKey)
  }

  stats() {
    return { sessions: this.#sessions.size, streams: 0, events: 0, bytes: 0 }
  }
}
