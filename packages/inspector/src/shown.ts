/** Characters of one message, and of one text in it, that are shown. */
const maxShown = 8_192
const maxText = 1_024

/** Names under which people keep what nobody else may read. */
const secretName =
  /authorization|cookie|credential|passphrase|passw(or)?d|secret|session[-_]?id|token$|api[-_]?key|private[-_]?key/i
/**
 * What is a secret wherever it stands: credentials of a header, a JWT. What only begins like a JWT is found last, and
 * stays: it is passed over in one, where a look from each of its parts to its end would take time by the square.
 */
const secretText = /(\b(?:Bearer|Basic) +[\w~+/.=-]{8,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)|\beyJ[\w-]{8,}/gi

const mask = '•••'

/** A message as the page shows it: secrets masked, as far as their names or forms tell, and clipped. */
export function toShown(value: unknown): string {
  try {
    return clip(JSON.stringify(value, maskSecret) ?? '', maxShown)
  } catch {
    // What a handler returned may have no JSON.
    return '(not JSON)'
  }
}

/** The same for JSON text, of an event or of a message. */
export function textToShown(text: string): string {
  if (text === '') return ''
  try {
    return toShown(JSON.parse(text))
  } catch {
    return '(not JSON)'
  }
}

/** A text that a client wrote, on one line. */
export function toLine(value: unknown, length = 100): string {
  return typeof value === 'string' ? clip(maskIn(value.slice(0, 2 * maxText)), length, value.length) : ''
}

function maskSecret(name: string, value: unknown): unknown {
  // A progress token is none.
  if (name !== 'progressToken' && secretName.test(name)) {
    if (isPlain(value)) return mask
    // Headers that may come several times are lists, `set-cookie` in Node always.
    if (Array.isArray(value)) return value.map((each: unknown) => (isPlain(each) ? mask : each))
  }
  return typeof value === 'string' ? clip(maskIn(value.slice(0, 2 * maxText)), maxText, value.length) : value
}

function isPlain(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number'
}

function maskIn(text: string): string {
  return text.replaceAll(secretText, (found, secret: string | undefined) => (secret === undefined ? found : mask))
}

function clip(text: string, length: number, whole = text.length): string {
  return text.length <= length ? text : `${text.slice(0, length)}… (${whole} characters)`
}
