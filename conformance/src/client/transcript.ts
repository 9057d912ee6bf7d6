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
  readonly #secrets: Secrets
  #dropped = 0

  constructor(secrets: Secrets = new Map()) {
    this.#secrets = secrets
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

  /** Text in which every secret is replaced by what stands for it. */
  conceal(text: string): string {
    let concealed = text
    for (const [secret, name] of this.#secrets) concealed = concealed.replaceAll(secret, name)
    return concealed
  }

  toString(): string {
    const tail = this.#dropped === 0 ? [] : [`… and ${this.#dropped} more`]
    return [...this.#entries, ...tail].join('\n')
  }
}

function shorten(text: string): string {
  if (text.length <= maxText) return text
  return `${text.slice(0, maxText)}… (${text.length} characters)`
}
