const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** 192 bits from the platform's CSPRNG, base64url. */
export function createSessionId(): string {
  let sessionId = ''
  for (const byte of crypto.getRandomValues(new Uint8Array(32))) sessionId += alphabet[byte & 63]
  return sessionId
}

/** What may be put into a header and be looked up: visible ASCII (Session Management 1), and room for 128 bits. */
export function isSessionId(value: string): boolean {
  return /^[\x21-\x7e]{22,128}$/.test(value)
}

/**
 * The name under which a session is stored: base64url of SHA-256 of its id. Who reads the store learns no id.
 */
export async function sessionKey(sessionId: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(sessionId))
  const base64 = btoa(String.fromCharCode(...new Uint8Array(digest)))
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
