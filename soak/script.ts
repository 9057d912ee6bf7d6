/** What a client asks the tool `play` to do. The client decides everything, so that its seed repeats it. */
export type Step =
  /** Events on the call's stream, numbered in the call. */
  | { readonly do: 'report'; readonly kind: 'progress' | 'message'; readonly events: Events }
  /** Events on the standalone stream, numbered in the session. */
  | { readonly do: 'push'; readonly events: Events }
  /** A question on the call's stream, numbered as its events are; or one that names no call, without a number. */
  | { readonly do: 'ask'; readonly on: 'call' | 'standalone'; readonly method: string; readonly timeoutMs: number }
  | { readonly do: 'sleep'; readonly ms: number }
  /** Ends the call's connection, and lets the client poll. */
  | { readonly do: 'poll' }
  /** The same of the standalone stream. */
  | { readonly do: 'poll-standalone' }

export interface Events {
  readonly count: number
  /** UTF-16 units of filler in each. */
  readonly size: number
  readonly paceMs: number
  /** The tool waits until there is room, as the documentation asks it to. */
  readonly awaited: boolean
}

export interface Script {
  /** The client's name for the call. */
  readonly call: string
  readonly steps: readonly Step[]
  readonly answerSize: number
}

/** In every message that the server makes: whose it is, and which one. */
export interface Mark {
  /** Name of the client that the session belongs to. */
  readonly session: string
  /** Which series is counted: a call's name, or `standalone`. */
  readonly series?: string
  /** Number in the series, from 1. */
  readonly n?: number
  /** Of a question: what its answer must say. */
  readonly nonce?: string
  /** Text of a known length, `size`. */
  readonly filler?: string
  readonly size?: number
}

/** What `play` answers beside its mark. */
export interface Played {
  /** Events sent on the call's stream. */
  readonly sent: number
  /** Events sent on the standalone stream since the session began. */
  readonly pushed: number
  /** How each question ended, in the order of asking. */
  readonly asked: readonly ('answered' | 'refused' | 'unanswered')[]
}

export const standaloneSeries = 'standalone'

// One, two, three and four bytes in UTF-8: pieces are cut everywhere.
const pattern = 'abcdefghijklmnopqrstuvwxyz0123456789 é€😀"\\\n'.repeat(100)

/** Text that shows where it begins, so that a piece of another event is no match. */
export function toFiller(size: number, n: number): string {
  const whole = Math.ceil((size + (n % 40)) / pattern.length)
  return pattern.repeat(whole).slice(n % 40, (n % 40) + size)
}
