import { now } from '../promises/clock.ts'
import type { AuthInfo } from '../rpc/server.ts'

/** When a token expires, in milliseconds of the clock that only goes forward; `Infinity`: never. */
export function expiryOf(auth: AuthInfo | undefined): number {
  return auth?.expiresAt === undefined ? Infinity : now() + auth.expiresAt * 1_000 - Date.now()
}
