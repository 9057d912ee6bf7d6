/** Lets work that has the same name go one after another, in the order in which it came. */
export class Turns {
  /** The end of the last work of each name that has any. */
  readonly #last = new Map<string, Promise<void>>()

  get size(): number {
    return this.#last.size
  }

  /** Settles like `work`, which begins at once when nothing of that name is under way. */
  take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name)
    const working = before === undefined ? work() : before.then(work)
    const leave = (): void => {
      if (this.#last.get(name) === turn) this.#last.delete(name)
    }
    const turn = working.then(leave, leave)
    this.#last.set(name, turn)
    return working
  }
}
