/** Lets work that has the same name go one after another, in the order in which it came. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name)
    const working = before === undefined ? work() : before.then(work)
    const turn = working
      .catch(() => undefined)
      .then(() => {
        if (this.#last.get(name) === turn) this.#last.delete(name)
      })
    this.#last.set(name, turn)
    return working
  }
}
