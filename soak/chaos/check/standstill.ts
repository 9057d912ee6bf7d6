/** How often, and how much later than that it is a standstill, in milliseconds. */
const [lookMs, lateMs] = [250, 2_000]

/** So long after a standstill something may wait that began before it, in milliseconds. */
const heedMs = 60_000

/** Whether this process stood still, as on a machine whose processes are stopped for a while: then it can judge no time. */
export class Standstill {
  /** Milliseconds, of all. */
  totalMs = 0
  #endedAt = -Infinity
  readonly #timer: NodeJS.Timeout

  constructor(onEnd: (ms: number) => void) {
    let last = performance.now()
    this.#timer = setInterval(() => {
      const ms = performance.now() - last - lookMs
      last += ms + lookMs
      if (ms < lateMs) return
      this.totalMs += ms
      this.#endedAt = last
      onEnd(Math.round(ms))
    }, lookMs)
  }

  get isRecent(): boolean {
    return this.#endedAt + heedMs > performance.now()
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
