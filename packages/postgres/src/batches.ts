interface Item<In, Out> {
  readonly input: In
  readonly size: number
  readonly at: number
  readonly resolve: (output: Out) => void
  readonly reject: (error: unknown) => void
}

/** How long, in milliseconds, something may wait for the batch before it. */
const longestWaitMs = 5_000

/** What one batch holds at most. */
const most = { items: 500, size: 4_000_000 }

/** Does together what came while the batch before was under way: one after another, in the order in which it came. */
export class Batches<In, Out> {
  readonly #run: (inputs: readonly In[]) => Promise<readonly Out[]>
  #waiting: Item<In, Out>[] = []
  #isRunning = false

  constructor(run: (inputs: readonly In[]) => Promise<readonly Out[]>) {
    this.#run = run
  }

  /** `size`: of what is to be sent, in characters. */
  add(input: In, size: number): Promise<Out> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ input, size, at: performance.now(), resolve, reject })
      if (!this.#isRunning) void this.#runAll()
    })
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0) {
      // What comes in the same turn of the event loop goes along.
      await new Promise(setImmediate)
      this.#rejectOld()
      const batch = this.#take()
      try {
        const outputs = await this.#run(batch.map(({ input }) => input))
        for (const [i, { resolve }] of batch.entries()) resolve(outputs[i] as Out)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#isRunning = false
  }

  #take(): readonly Item<In, Out>[] {
    let [count, size] = [0, 0]
    for (const item of this.#waiting) {
      size += item.size
      if (count > 0 && (count === most.items || size > most.size)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  /** Nothing waits longer than it may. */
  #rejectOld(): void {
    const old = performance.now() - longestWaitMs
    while ((this.#waiting[0]?.at ?? Infinity) < old) {
      this.#waiting.shift()?.reject(new Error('Postgres was given too much at once'))
    }
  }
}
