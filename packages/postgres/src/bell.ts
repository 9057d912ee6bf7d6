import type { ClientPort, Listener } from './client/postgres-client.ts'
import type { Database } from './database.ts'

export interface BellOptions {
  readonly database: Database
  /** `undefined`: it is never heard. */
  readonly listening: ClientPort | undefined
  /** Milliseconds. */
  readonly times: { readonly silence: number; readonly pause: number }
  readonly onRing: () => void
  /** What rang meanwhile was not heard. */
  readonly onBreak: () => void
}

/** How long, in milliseconds, who subscribes waits for it. Messages are found without it as well. */
const longestWaitMs = 1_000

/** `LISTEN`, on a connection of its own that is open while a channel is listened to. It knows whether it hears anything. */
export class Bell {
  readonly #options: BellOptions
  readonly #names = new Set<string>()
  #listener: Listener | undefined
  #rangAt = 0
  #askedAt = 0
  /** Settle when the server has heard of a name, or cannot. */
  readonly #pending = new Set<Promise<void>>()
  isHeard = false

  constructor(options: BellOptions) {
    this.#options = options
  }

  /** Does not throw: until it is heard, and where it cannot be, messages are looked for. */
  listen(name: string): void {
    this.#names.add(name)
    if (!this.#listener) this.#connect()
    else this.#listenTo(this.#listener, name)
  }

  unlisten(name: string): void {
    this.#names.delete(name)
    if (this.#names.size === 0) this.#disconnect()
    else this.#listener?.unlisten(name).catch(() => undefined)
  }

  /**
   * A connection may be dead and look open for many minutes: from time to time it is rung here, and when messages are found
   * of which it has told nothing.
   */
  check(isMissed: boolean): void {
    const now = performance.now()
    const { silence } = this.#options.times
    const isSilent = now - Math.max(this.#rangAt, this.#askedAt) >= silence
    if (!this.#listener || !(isSilent || (isMissed && this.isHeard))) return
    if (this.isHeard) this.#ask()
    else this.#reconnect()
  }

  #connect(): void {
    const { listening, times, onRing, onBreak } = this.#options
    if (!listening) return
    const isCurrent = (): boolean => this.#listener === listener
    this.#askedAt = performance.now()
    const listener: Listener = listening.openListener({
      woken: () => {
        if (!isCurrent()) return
        this.isHeard = true
        this.#rangAt = performance.now()
        onRing()
      },
      broken: () => {
        if (!isCurrent()) return
        this.#ask()
        onBreak()
      },
      lost: () => void setTimeout(() => isCurrent() && this.#reconnect(), times.pause).unref(),
    })
    this.#listener = listener
    for (const name of this.#names) this.#listenTo(listener, name)
  }

  #listenTo(listener: Listener, name: string): void {
    const listening = listener.listen(name).then(
      () => void (this.isHeard || this.#ask()),
      () => undefined,
    )
    this.#pending.add(listening)
    void listening.then(() => this.#pending.delete(listening))
  }

  /**
   * Resolves when all names are listened to or cannot be, after a second at the latest: an outage before that breaks nothing
   * that would tell of it.
   */
  async settled(): Promise<void> {
    if (this.#pending.size === 0) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, longestWaitMs)
    })
    await Promise.race([Promise.all(this.#pending), late])
    clearTimeout(timer)
  }

  #reconnect(): void {
    this.#disconnect()
    this.#connect()
  }

  #disconnect(): void {
    this.#listener?.end()
    this.#listener = undefined
    this.isHeard = false
  }

  #ask(): void {
    this.isHeard = false
    this.#askedAt = performance.now()
    const [name] = this.#names
    if (name !== undefined) this.#options.database.write("SELECT pg_notify($1, '')", [name]).catch(() => undefined)
  }
}
