import { type CallMessage, type Endpoint, observe, type TracedMessage, targetOf } from '@throughline/mcp-http-core'
import type { Happening } from './protocol.ts'
import { toLine, toShown } from './shown.ts'

/** Happenings that are kept: whoever looks comes for them every second. */
const maxKept = 500

/** Sessions whose messages are kept with what is in them; the oldest is forgotten first. */
const maxFollowed = 20

type What = Omit<Happening, 'seq' | 'at' | 'phase' | 'thing'>

/** Hears what an endpoint publishes, from `start` to `stop`, and keeps the newest of it. */
export class Happenings {
  readonly #endpoint: Endpoint
  #kept: Happening[] = []
  #seq = 0
  #things = 0
  #thingOf = new WeakMap<object, number>()
  readonly #followed = new Set<string>()
  #stop: (() => void) | undefined
  /** `false` where the runtime has no diagnostics channels. */
  isObserved = true

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint
  }

  get lastSeq(): number {
    return this.#seq
  }

  since(seq: number): readonly Happening[] {
    const from = this.#kept.findIndex((happening) => happening.seq > seq)
    return from < 0 ? [] : this.#kept.slice(from)
  }

  /** What its calls carry is kept from now on. */
  follow(sessionKey: string): void {
    this.#followed.delete(sessionKey)
    this.#followed.add(sessionKey)
    if (this.#followed.size <= maxFollowed) return
    for (const oldest of this.#followed) {
      this.#followed.delete(oldest)
      return
    }
  }

  start(): void {
    if (this.#stop || !this.isObserved) return
    try {
      this.#stop = this.#observe()
    } catch {
      this.isObserved = false
    }
  }

  /** Nobody looks any more. */
  stop(): void {
    this.#stop?.()
    this.#stop = undefined
    this.#kept = []
    this.#thingOf = new WeakMap()
    this.#followed.clear()
  }

  #observe(): () => void {
    return observe(this.#endpoint, {
      call: {
        start: (message) => this.#add('start', message, this.#toCall(message, message.params)),
        asyncEnd: (message) => this.#add('end', message, this.#toCall(message, toAnswer(message))),
      },
      stream: this.#both(({ sessionKey, kind, streamTag, requestIds, from, to }) => ({
        kind: 'stream',
        sessionKey,
        title: `${kind} stream ${streamTag ?? ''}, ${to === undefined ? `after event ${from}` : `up to event ${to}`}`,
        streamTag,
        requestIds,
      })),
      session: this.#both(({ sessionKey, clientInfo, reason }) => ({
        kind: 'session',
        sessionKey,
        title: toClient(clientInfo),
        outcome: reason,
      })),
      replay: this.#both(({ sessionKey, eventId }) => ({ kind: 'replay', sessionKey, title: `after ${eventId}` })),
      forward: this.#both(({ sessionKey, httpMethod, owner }) => ({
        kind: 'forward',
        sessionKey,
        title: `${httpMethod} to ${owner}`,
      })),
      takeover: this.#both(({ sessionKey, from, term }) => ({
        kind: 'takeover',
        sessionKey,
        title: `from ${from || 'no node'}, term ${term}`,
      })),
      refusal: (message) => {
        const { httpMethod, path, status, code } = message
        const what: What = { kind: 'refusal', sessionKey: undefined, title: `${httpMethod} ${toLine(path)}` }
        this.#add('end', message, { ...what, outcome: `${status} ${code}` })
      },
    })
  }

  #both<Message extends TracedMessage & { outcome?: string }>(toWhat: (message: Message) => What) {
    return {
      start: (message: Message): void => this.#add('start', message, toWhat(message)),
      asyncEnd: (message: Message): void => {
        const { outcome, error, durationMs } = message
        const failed = error === undefined ? undefined : 'failed'
        const what = toWhat(message)
        this.#add('end', message, { ...what, durationMs, outcome: what.outcome ?? outcome ?? failed })
      },
    }
  }

  #toCall(message: CallMessage, carried: unknown): What {
    const { sessionKey, method, requestId, outcome, durationMs } = message
    const title = [toLine(method), toLine(targetOf(message))].filter(Boolean).join(' ')
    const isFollowed = sessionKey !== undefined && this.#followed.has(sessionKey)
    const text = isFollowed && carried !== undefined ? toShown(carried) : undefined
    return { kind: 'call', sessionKey, title, requestId, outcome, durationMs, text }
  }

  #add(phase: 'start' | 'end', message: object, what: What): void {
    let thing = this.#thingOf.get(message)
    if (thing === undefined) {
      thing = ++this.#things
      this.#thingOf.set(message, thing)
    }
    this.#kept.push({ seq: ++this.#seq, at: Date.now(), phase, thing, ...what })
    // In one piece, so that a busy endpoint does not move the rest each time.
    if (this.#kept.length >= 2 * maxKept) this.#kept.splice(0, this.#kept.length - maxKept)
  }
}

/** As the client gets it, with the id that it gave. */
function toAnswer({ response, requestId, error }: CallMessage): unknown {
  return response === undefined ? error : { ...response, id: requestId }
}

/** Name and version that a client gives itself. */
export function toClient(clientInfo: unknown): string {
  const { name, version } = (clientInfo ?? {}) as { name?: unknown; version?: unknown }
  return [toLine(name, 60), toLine(version, 20)].filter(Boolean).join(' ') || '(no name)'
}
