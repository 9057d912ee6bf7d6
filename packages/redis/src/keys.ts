import { createHash } from 'node:crypto'

/** What the core makes: base64url of a hash, and tags of streams. */
const plain = /^[\w-]{1,64}$/

/**
 * Any text as a name without a character that means something to Redis. What the core makes stays readable; other text
 * is hashed, in UTF-16, in which no two texts are equal.
 */
export function toName(text: string): string {
  return plain.test(text) ? text : `.${createHash('sha256').update(text, 'utf16le').digest('base64url')}`
}

/**
 * The keys of a session. The braces put all of them into one slot of a Cluster, so that a script can use them together.
 *
 * - `m`, a hash: the record. Fields: see `session-store.ts`, and `w`, the term that began the log.
 * - `l`, a stream: the events, with ids `<term>-<n>`.
 * - `s`, a hash: what is known of each stream by its tag, and of the log as a whole; see `log-scripts.ts`.
 * - `r`, a list: streams that were delivered or dropped, with the time, in that order.
 */
export class Keys {
  readonly #prefix: string
  readonly #place: string

  /** `place`: what tells these keys from others of the same names on the same server. */
  constructor(prefix: string, place = '') {
    this.#prefix = prefix
    this.#place = place
  }

  /** `m`, `l`, `s` and `r`. */
  ofSession(key: string): [string, string, string, string] {
    return this.ofSessionNamed(toName(key))
  }

  ofSessionNamed(name: string): [string, string, string, string] {
    const session = `${this.#prefix}:{${name}}`
    return [`${session}:m`, `${session}:l`, `${session}:s`, `${session}:r`]
  }

  ofLease(node: string): string {
    return `${this.#prefix}:node:${toName(node)}`
  }

  /** Channels are of the whole server, and clients put nothing before them. */
  ofChannel(channel: string): string {
    return `${this.#prefix}:bus:${toName(`${this.#place}${channel}`)}`
  }

  /** For `SCAN`: records. `before` is what the client puts before keys. */
  recordPattern(before: string): string {
    return `${`${before}${this.#prefix}`.replace(/[*?[\]\\^-]/g, '\\$&')}:{*}:m`
  }
}

/** Tells databases, and what clients put before keys by themselves. Empty where there is nothing to tell. */
export function toPlace(database: number, prefix: string): string {
  return database === 0 && prefix === '' ? '' : `${JSON.stringify([database, prefix])} `
}

/** The name that a key of a record has in braces. */
export function nameInKey(key: string): string {
  return key.slice(key.lastIndexOf('{') + 1, key.lastIndexOf('}'))
}
