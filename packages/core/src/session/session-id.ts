import type { MaybePromise } from '../promises/maybe-promise.ts'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Random bytes that no id has taken yet: to ask the platform for a few costs as much as to ask for many. */
const pool = new Uint8Array(2_048)
let taken = pool.length

/** 192 bits from the platform's CSPRNG, base64url. */
export function createSessionId(): string {
  if (taken === pool.length) {
    crypto.getRandomValues(pool)
    taken = 0
  }
  let sessionId = ''
  for (const byte of pool.subarray(taken, taken + 32)) sessionId += alphabet[byte & 63]
  taken += 32
  return sessionId
}

/** Whether an id may stand in a header and be looked up: visible ASCII (Session Management 1), room for 128 bits. */
export function isSessionId(value: string): boolean {
  return /^[\x21-\x7e]{22,128}$/.test(value)
}

/**
 * Node's hash, where there is one: WebCrypto goes through another thread, which costs far more than so small a hash.
 */
const hash = globalThis.process?.getBuiltinModule?.('node:crypto')?.hash

/**
 * The name under which a session is stored: base64url of SHA-256 of its id. A reader of the store learns no id.
 */
export async function sessionKey(sessionId: string): Promise<string> {
  return toSessionKey(sessionId)
}

/** The same, at once where the platform can. */
export function toSessionKey(sessionId: string): MaybePromise<string> {
  return hash ? hash('sha256', sessionId, 'base64url') : digest(sessionId)
}

async function digest(sessionId: string): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(sessionId))
  const base64 = btoa(String.fromCharCode(...new Uint8Array(bytes)))
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
