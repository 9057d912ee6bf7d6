/** What a name is called that is not counted by itself, as OpenTelemetry has it. */
export const otherName = '_OTHER'

/** Names that worked once, and names that never did, that are counted by themselves. */
const maxWorking = 1_000
const maxFailing = 100

/** Characters of a name that is counted by itself. */
const maxLength = 128

/**
 * Clients write the names of tools and methods. Metrics count by them, so that a client that makes names up must not make
 * new series without end.
 */
export class NameLimit {
  readonly #working: Set<string>
  readonly #failing = new Set<string>()

  /** @param known names that are counted by themselves from the beginning */
  constructor(known: Iterable<string> = []) {
    this.#working = new Set(known)
  }

  /** Whether it is counted by itself. */
  has(name: string): boolean {
    return this.#working.has(name) || this.#failing.has(name)
  }

  /** The name to count by, now that it is known whether it is one that the server knows. */
  count(name: string, worked: boolean): string {
    if (this.#working.has(name)) return name
    const names = worked ? this.#working : this.#failing
    const isFull = names.size >= (worked ? maxWorking : maxFailing)
    if (name.length > maxLength || (isFull && !names.has(name))) return this.has(name) ? name : otherName
    if (worked) this.#failing.delete(name)
    names.add(name)
    return name
  }
}
