export type Disorder = 'doubled' | 'reordered'

/**
 * The numbers of one stream as its client gets them. A number that is left out is missing, unless the client was told of
 * a gap: for a whole connection by its header, or for the next jump by a message in the stream.
 */
export class Series {
  last = 0
  readonly #missing = new Set<number>()
  readonly #forgiven = new Set<number>()
  #isConnectionTold = false
  #isJumpTold = false

  /** Numbers left out that nobody told of. */
  get missing(): readonly number[] {
    return [...this.#missing]
  }

  /** Numbers left out that the client was told of. */
  get forgiven(): number {
    return this.#forgiven.size
  }

  /** A new connection goes on with the stream. */
  connected(isTold: boolean): void {
    this.#isConnectionTold = isTold
    this.#isJumpTold = false
  }

  /** A message in the stream says that something is missing. */
  told(): void {
    this.#isJumpTold = true
  }

  take(n: number): Disorder | undefined {
    if (n <= this.last) return this.#missing.delete(n) || this.#forgiven.delete(n) ? 'reordered' : 'doubled'
    this.#skipTo(n)
    this.last = n
    return undefined
  }

  /** The stream is over, and this was its last number. */
  end(n: number): void {
    if (n > this.last) this.#skipTo(n + 1)
  }

  #skipTo(n: number): void {
    if (n === this.last + 1) return
    const left = this.#isConnectionTold || this.#isJumpTold ? this.#forgiven : this.#missing
    for (let number = this.last + 1; number < n; number++) left.add(number)
    this.#isJumpTold = false
  }
}
