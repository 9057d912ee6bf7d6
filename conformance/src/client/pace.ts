import type { Exchange } from './exchange.ts'
import { RateLimited } from './expect.ts'
import { delay } from './waiting.ts'

const mostAttempts = 3
/** Where the server does not say how long, and the longest that a request waits when it does. */
const waitMs = { default: 1_000, most: 10_000 } as const

/** What a server that is asked too much says of it, heeded by all requests of a run (RFC 6585 §4, RFC 9110 §15.6.4). */
export class Pace {
  /** How many times fewer checks than planned may run at the same time. */
  thinning = 1
  #until = 0

  /** Sends until the server takes it. 429 each time throws {@link RateLimited}; what 503 means, the check must know. */
  async send(request: () => Promise<Exchange>): Promise<Exchange> {
    for (let attempt = 1; ; attempt++) {
      await this.#pause()
      const exchange = await request()
      if (exchange.status !== 429 && exchange.status !== 503) return exchange
      const wait = retryAfterMs(exchange) ?? waitMs.default
      if (attempt < mostAttempts && wait <= waitMs.most) this.#slowDown(exchange, wait)
      else if (exchange.status === 503) return exchange
      else refuse(exchange, attempt)
    }
  }

  /** What one request may have to wait for by itself, in milliseconds. */
  get delayMs(): number {
    return this.thinning > 1 ? mostAttempts * waitMs.most : 0
  }

  async #pause(): Promise<void> {
    const left = this.#until - performance.now()
    if (left > 0) await delay(left)
  }

  #slowDown(exchange: Exchange, wait: number): void {
    this.#until = Math.max(this.#until, performance.now() + wait)
    this.thinning *= 2
    exchange.abort()
  }
}

const rateLimited = 'rate-limited'

/** Whether a result tells of a {@link RateLimited}. */
export function saysRateLimited({ message }: { readonly message: string }): boolean {
  return message.startsWith(rateLimited)
}

function refuse(exchange: Exchange, attempts: number): never {
  const said = exchange.header('retry-after')
  const tail = said === undefined ? '' : ` with Retry-After: ${said}`
  exchange.abort()
  throw new RateLimited(`${rateLimited}: the server answered 429${tail}, attempt ${attempts}`)
}

/** Seconds, or a date (RFC 9110 §10.2.3). */
export function retryAfterMs(exchange: Exchange): number | undefined {
  const value = exchange.header('retry-after')
  if (value === undefined) return undefined
  if (/^\d+$/.test(value)) return Number(value) * 1_000
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now())
}
