import { Rejection, retryLater } from '../../http/errors.ts'
import type { AuthInfo } from '../../rpc/server.ts'

export interface PlacesOptions {
  readonly maxSessions: number
  readonly maxSessionsPerPrincipal: number
  readonly principal: (auth: AuthInfo) => string
}

/** How many requests, or subscriptions, there may be at the same time, in all and per principal. */
export class Places {
  readonly #options: PlacesOptions
  readonly #perPrincipal = new Map<string, number>()
  #taken = 0

  constructor(options: PlacesOptions) {
    this.#options = options
  }

  /**
   * Takes a place, before anything is awaited.
   * @throws Rejection `too_many_requests`
   */
  take(auth: AuthInfo | undefined): Place {
    const { maxSessions, maxSessionsPerPrincipal, principal } = this.#options
    const name = auth && principal(auth)
    const held = name === undefined ? 0 : (this.#perPrincipal.get(name) ?? 0)
    // 503, not 429: client 2.4 falls back to sessions on 429, and finds no more room there.
    if (this.#taken >= maxSessions || held >= maxSessionsPerPrincipal) {
      throw new Rejection('too_many_requests', retryLater())
    }
    this.#count(name, 1)
    return new Place(() => this.#count(name, -1))
  }

  #count(name: string | undefined, change: 1 | -1): void {
    this.#taken += change
    if (name === undefined) return
    const held = (this.#perPrincipal.get(name) ?? 0) + change
    if (held > 0) this.#perPrincipal.set(name, held)
    else this.#perPrincipal.delete(name)
  }
}

export class Place {
  /** Who keeps it leaves it later. */
  isKept = false
  readonly #give: () => void

  constructor(give: () => void) {
    this.#give = give
  }

  /** Once. */
  leave(): void {
    this.#give()
  }
}
