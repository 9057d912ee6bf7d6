const maxEntries = 400
const maxText = 600

/** A request as it was sent, for a line of curl. */
export interface SentRequest {
  /** Counts up from 1 within a transcript. */
  readonly number: number
  readonly method: string
  readonly url: string
  /** As on the wire: name, value, name, value. */
  readonly rawHeaders: readonly string[]
  /** `undefined` without a body, and for one that was sent in pieces. */
  readonly body: Buffer | undefined
  readonly inPieces: boolean
  /** Of the answer; `undefined` while none has come. */
  sessionId?: string | undefined
}

/** Secrets, and what stands for each where others may read it. */
export type Secrets = ReadonlyMap<string, string>

/** What one check sent and received, for whoever reads that it failed. */
export class Transcript {
  readonly requests: SentRequest[] = []
  readonly #start = performance.now()
  readonly #entries: string[] = []
  readonly #secrets: readonly Concealed[]
  #dropped = 0

  constructor(secrets: Secrets = new Map()) {
    // A secret that is the beginning of another would leave the rest of that one in sight.
    const longestFirst = [...secrets].sort(([one], [other]) => other.length - one.length)
    this.#secrets = longestFirst.map(([secret, name]) => ({ pattern: toPattern(secret), name }))
  }

  /** Adds a line. Given as a function it is made only if there is still room for it. */
  add(line: string | (() => string)): void {
    if (this.#entries.length >= maxEntries) {
      this.#dropped += 1
      return
    }
    const at = Math.round(performance.now() - this.#start)
    const text = typeof line === 'string' ? line : line()
    this.#entries.push(`${String(at).padStart(5)} ms  ${shorten(this.conceal(text))}`)
  }

  /** Remembers a request; the number it gets is its own in this transcript. */
  addRequest(request: Omit<SentRequest, 'number'>): SentRequest {
    const added = { ...request, number: this.requests.length + 1 }
    this.requests.push(added)
    return added
  }

  /** Text in which every secret is replaced by what stands for it, wherever it is a value and not a part of a word. */
  conceal(text: string, toShown: (name: string) => string = (name) => name): string {
    return this.#secrets.reduce((concealed, { pattern, name }) => {
      return concealed.replaceAll(pattern, () => toShown(name))
    }, text)
  }

  toString(): string {
    const tail = this.#dropped === 0 ? [] : [`… and ${this.#dropped} more`]
    return [...this.#entries, ...tail].join('\n')
  }
}

interface Concealed {
  readonly pattern: RegExp
  readonly name: string
}

/** Shorter ones may well be words of a sentence: they are taken for the secret only where a value stands. */
const shortSecret = 8

const unreserved = /[\\^$.*+?()[\]{}|/-]/g

/** A secret as a whole. An escape such as `\n` or `%22` before it is no part of its word. */
function toPattern(secret: string): RegExp {
  const text = secret.replaceAll(unreserved, '\\$&')
  if (secret.length >= shortSecret) return new RegExp(`(?<![\\w-](?<!\\\\[nrt]|%[\\dA-Fa-f]{2}))${text}(?![\\w-])`, 'g')
  return new RegExp(`(?<=: |=|["']|Bearer )${text}(?=["'\\\\,;&]| \\||$)`, 'g')
}

function shorten(text: string): string {
  if (text.length <= maxText) return text
  return `${text.slice(0, maxText)}… (${text.length} characters)`
}
