const maxEntries = 400
const maxText = 600

/** What one check sent and received, for the message of its failure. */
export class Transcript {
  readonly #start = performance.now()
  readonly #entries: string[] = []
  #dropped = 0

  add(line: string): void {
    if (this.#entries.length >= maxEntries) {
      this.#dropped += 1
      return
    }
    const at = Math.round(performance.now() - this.#start)
    this.#entries.push(`${String(at).padStart(5)} ms  ${shorten(line)}`)
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
