import { createHash } from 'node:crypto'

/** What the core makes: base64url of a hash, tags of streams, channels. */
const plain = /^[\w:-]{1,64}$/

/**
 * Any text as a name that is short enough for an index, and told apart from every other: in UTF-16, since a lone surrogate
 * has no UTF-8. What the core makes stays as it is.
 */
export function toName(text: string): string {
  return plain.test(text) ? text : `.${hash(text, 'base64url')}`
}

/**
 * What `LISTEN` and `NOTIFY` call a channel, of its {@link toName name}. Channels belong to a database, so the schema is in
 * it; names without quotes are folded to lower case, and end after 63 bytes.
 */
export function toNotifyChannel(schema: string, name: string): string {
  return toIdentifier(`${schema} ${name}`)
}

/** Any text as a name that needs no quotes, the same wherever it is made. */
export function toIdentifier(text: string): string {
  return `mcp_${hash(text, 'hex').slice(0, 40)}`
}

/** The newest: the channels of nodes, and statements, are named again and again. */
const hashes = new Map<string, string>()
const maxHashes = 1_000

function hash(text: string, encoding: 'hex' | 'base64url'): string {
  const asked = `${encoding} ${text}`
  const known = hashes.get(asked)
  if (known !== undefined) return known
  const made = createHash('sha256').update(text, 'utf16le').digest(encoding)
  hashes.set(asked, made)
  const [oldest] = hashes.size > maxHashes ? hashes.keys() : []
  if (oldest !== undefined) hashes.delete(oldest)
  return made
}

/** Before text that is kept as JSON. */
const mark = '\u0001'

/** Between texts that are sent together. No JSON has it. */
const separator = '\u001F'

/** No text of Postgres holds NUL or half a surrogate pair, and PGlite reads none that begins with a byte order mark. */
const unstorable = new RegExp(`[\0${separator}\\p{Surrogate}]|^\uFEFF`, 'u')

export function toStored(text: string): string {
  return text.startsWith(mark) || unstorable.test(text) ? mark + JSON.stringify(text) : text
}

export function fromStored(text: string): string {
  return text.startsWith(mark) ? (JSON.parse(text.slice(mark.length)) as string) : text
}

/**
 * An array as Postgres writes it. As text both clients send it alike, whatever they know of types; statements cast it from
 * `text`.
 */
export function toArray(values: readonly (string | number | boolean)[]): string {
  return `{${values.map((value) => (typeof value === 'string' ? quote(value) : value)).join(',')}}`
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** Stored texts: longer ones, with many quotes, cost less so, to write and to read. */
export function toSeparated(texts: readonly string[]): string {
  return texts.map((text) => separator + text).join('')
}

/** What {@link toSeparated} gives, as an array, in a statement. */
export function fromSeparated(parameter: string): string {
  return `(string_to_array(${parameter}::text, chr(${separator.charCodeAt(0)})))[2:]`
}
