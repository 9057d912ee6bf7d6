import { notTestable } from '../client/expect.ts'
import { delay } from '../client/waiting.ts'
import type { StoreContext } from './store-context.ts'

/** When a call was made and when it had settled. What it did happened in between. */
export interface Span {
  readonly from: number
  readonly to: number
}

export async function timed<T>(call: () => T | PromiseLike<T>): Promise<{ result: T; span: Span }> {
  const from = performance.now()
  const result = await call()
  return { result, span: { from, to: performance.now() } }
}

/** How long an outage lasts at least, so that what is called meanwhile meets it. */
export const outageMs = 50

/** A time to live that is short, and long compared with the tolerance. */
export function shortTtl({ ttlToleranceMs }: StoreContext): number {
  return 100 + 2 * ttlToleranceMs
}

/** Waits until what was given `ttlMs` in this span must be gone. */
export async function waitForEnd({ ttlToleranceMs }: StoreContext, { to }: Span, ttlMs: number): Promise<void> {
  const end = to + ttlMs + ttlToleranceMs
  while (performance.now() <= end) await delay(end - performance.now() + 1)
}

/** Whether what was given `ttlMs` in this span must still be there now. */
export function mustLive({ ttlToleranceMs }: StoreContext, { from }: Span, ttlMs: number): boolean {
  return performance.now() < from + ttlMs - ttlToleranceMs
}

/** Tries longer and longer times to live, until the machine was fast enough for `attempt` to say something. */
export async function withTtl(context: StoreContext, attempt: (ttlMs: number) => Promise<boolean>): Promise<void> {
  for (const factor of [1, 4, 16, 64]) {
    if (await attempt(factor * shortTtl(context))) return
  }
  notTestable('The store or this machine is too slow: records expire before they are looked at')
}
