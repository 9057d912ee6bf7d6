import { now } from '../promises/clock.ts'
import type { AuthInfo } from '../rpc/server.ts'

/** When a token expires, in milliseconds of the clock that only goes forward; `Infinity`: never. */
export function expiryOf(auth: AuthInfo | undefined): number {
  return auth?.expiresAt === undefined ? Infinity : now() + auth.expiresAt * 1_000 - Date.now()
}

/** When a connection that begins now is old enough to be broken: spread, so that those of a moment do not end together. */
export function oldAt({ maxConnectionAgeMs }: { readonly maxConnectionAgeMs: number }): number {
  return maxConnectionAgeMs === 0 ? Infinity : now() + maxConnectionAgeMs * (0.8 + Math.random() * 0.4)
}
