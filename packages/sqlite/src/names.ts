import { createHash } from 'node:crypto'

/** What the core makes: base64url of a hash, tags of streams, channels. */
const plain = /^[\w:-]{1,64}$/

/**
 * Any text as a name that is short, and told apart from every other: in UTF-16, since a lone surrogate has no UTF-8. What
 * the core makes stays as it is.
 */
export function toName(text: string): string {
  return plain.test(text) ? text : `.${createHash('sha256').update(text, 'utf16le').digest('base64url')}`
}
