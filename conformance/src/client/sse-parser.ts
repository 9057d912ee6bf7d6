/** One block of an event stream: what stood between two blank lines. */
export interface SseBlock {
  /** The `id` field of this block, if it had one that clients accept. */
  readonly id: string | undefined
  /** The last event id a client holds after this block. */
  readonly lastEventId: string
  readonly event: string | undefined
  /** `undefined`: no `data` line, so that nothing is dispatched. Empty: a `data` line without text. */
  readonly data: string | undefined
  readonly retry: number | undefined
  /** Every field line as written, unknown names included. */
  readonly fields: readonly { readonly name: string; readonly value: string }[]
  readonly comments: readonly string[]
  /** `false` when some line was not valid UTF-8. */
  readonly validUtf8: boolean
  readonly raw: Uint8Array
  /** `performance.now()` when its last byte arrived. */
  readonly at: number
}

const lf = 0x0a
const cr = 0x0d
const bom = [0xef, 0xbb, 0xbf]

/** Event stream interpretation (WHATWG HTML §9.2.6), on bytes, so that nothing is repaired on the way. */
export class SseParser {
  readonly #onBlock: (block: SseBlock) => void
  #line: number[] = []
  #raw: number[] = []
  #skipLf = false
  #atStart = true
  #lastEventId = ''
  #block = emptyBlock()

  constructor(onBlock: (block: SseBlock) => void) {
    this.#onBlock = onBlock
  }

  push(chunk: Uint8Array, at = performance.now()): void {
    for (const byte of chunk) {
      this.#raw.push(byte)
      if (this.#skipLf) {
        this.#skipLf = false
        if (byte === lf) {
          // The second half of a CRLF that ended the block before belongs to no block.
          if (this.#raw.length === 1) this.#raw = []
          continue
        }
      }
      if (byte !== lf && byte !== cr) {
        this.#line.push(byte)
        continue
      }
      this.#skipLf = byte === cr
      const line = this.#line
      this.#line = []
      this.#endLine(line, at)
    }
  }

  /** Bytes after the last blank line: a client throws them away. */
  get remainder(): Uint8Array {
    return Uint8Array.from(this.#raw)
  }

  #endLine(bytes: number[], at: number): void {
    let line = bytes
    if (this.#atStart) {
      this.#atStart = false
      if (bom.every((byte, index) => line[index] === byte)) line = line.slice(3)
    }
    if (line.length === 0) this.#endBlock(at)
    else this.#readLine(line)
  }

  #readLine(bytes: number[]): void {
    const block = this.#block
    const { text, valid } = decode(bytes)
    block.validUtf8 &&= valid
    const colon = text.indexOf(':')
    if (colon === 0) {
      block.comments.push(text.slice(1))
      return
    }
    const name = colon === -1 ? text : text.slice(0, colon)
    const after = colon === -1 ? '' : text.slice(colon + 1)
    const value = after.startsWith(' ') ? after.slice(1) : after
    block.fields.push({ name, value })
    if (name === 'data') block.data.push(value)
    else if (name === 'event') block.event = value
    else if (name === 'id' && !value.includes('\0')) block.id = value
    else if (name === 'retry' && /^[0-9]+$/.test(value)) block.retry = Number(value)
  }

  #endBlock(at: number): void {
    const { data, id, ...rest } = this.#block
    if (id !== undefined) this.#lastEventId = id
    const raw = Uint8Array.from(this.#raw)
    this.#raw = []
    this.#block = emptyBlock()
    this.#onBlock({
      ...rest,
      id,
      data: data.length === 0 ? undefined : data.join('\n'),
      lastEventId: this.#lastEventId,
      raw,
      at,
    })
  }
}

interface OpenBlock {
  id: string | undefined
  event: string | undefined
  data: string[]
  retry: number | undefined
  fields: { name: string; value: string }[]
  comments: string[]
  validUtf8: boolean
}

function emptyBlock(): OpenBlock {
  return { id: undefined, event: undefined, data: [], retry: undefined, fields: [], comments: [], validUtf8: true }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder('utf-8', { ignoreBOM: true })

function decode(bytes: number[]): { text: string; valid: boolean } {
  const array = Uint8Array.from(bytes)
  try {
    return { text: strict.decode(array), valid: true }
  } catch {
    // Not valid UTF-8: clients see replacement characters, the check sees the flag.
    return { text: lenient.decode(array), valid: false }
  }
}
