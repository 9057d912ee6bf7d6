import { DeadlineError, within } from '../promises/deadline.ts'
import { Rejection, retryLater } from './errors.ts'
import type { HttpRequest } from './http.ts'

/** Bounds of bodies that are being read: see the options of the same names. */
export interface BodyLimits {
  readonly maxBodyBytes: number
  readonly maxBodyBytesInFlight: number
  readonly bodyTimeoutMs: number
}

/** The request bodies that one endpoint is reading. What counts is the memory they take, not what was declared. */
export class Bodies {
  readonly #limits: BodyLimits
  #bytes = 0

  constructor(limits: BodyLimits) {
    this.#limits = limits
  }

  /** Bytes that are held for bodies of which more is to come. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Reads a request's body.
   * @throws Rejection `body_too_large`, `body_too_slow`, `too_many_bodies`, and what `HttpRequest.readBody` throws
   */
  async read(request: HttpRequest): Promise<Uint8Array> {
    const { maxBodyBytes, bodyTimeoutMs } = this.#limits
    const body = new JoinedChunks(maxBodyBytes, (bytes) => this.#take(bytes))
    try {
      const reading = request.readBody((chunk) => body.add(chunk))
      await (bodyTimeoutMs === 0 ? reading : within(bodyTimeoutMs, reading, 'the body'))
      return body.bytes
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error
      request.stopReading()
      throw new Rejection('body_too_slow')
    } finally {
      this.#bytes -= body.capacity
      // What the bridge listens with lives as long as the request, the bytes need not.
      body.drop()
    }
  }

  #take(bytes: number): void {
    if (this.#bytes + bytes > this.#limits.maxBodyBytesInFlight) throw new Rejection('too_many_bodies', retryLater())
    this.#bytes += bytes
  }
}

const nothing = new Uint8Array(0)

/** What joined chunks have room for at least, in bytes. */
const leastRoom = 1_024

/**
 * Chunks, joined as they come: kept one by one, each would cost some 200 bytes of its own, also one of a single byte.
 * The room doubles when it is full.
 */
class JoinedChunks {
  readonly #maxBytes: number
  readonly #take: (bytes: number) => void
  #room: Uint8Array = nothing
  #size = 0
  #isDropped = false

  /** `take` is asked for each piece of memory, and throws when there is none. */
  constructor(maxBytes: number, take: (bytes: number) => void) {
    this.#maxBytes = maxBytes
    this.#take = take
  }

  get capacity(): number {
    return this.#room.length
  }

  get bytes(): Uint8Array {
    return this.#size === this.#room.length ? this.#room : this.#room.subarray(0, this.#size)
  }

  add(chunk: Uint8Array): void {
    // Nobody waits for it any more: a bridge that still reads hears of it.
    if (this.#isDropped) throw new Rejection('body_too_slow')
    const size = this.#size + chunk.length
    if (size > this.#maxBytes) throw new Rejection('body_too_large')
    if (this.#size === 0) this.#begin(chunk)
    else this.#append(chunk, size)
    this.#size = size
  }

  drop(): void {
    this.#isDropped = true
    this.#room = nothing
  }

  /** Most bodies are one chunk, which needs no copy. */
  #begin(chunk: Uint8Array): void {
    this.#take(chunk.length)
    this.#room = chunk
  }

  #append(chunk: Uint8Array, size: number): void {
    if (size > this.#room.length) this.#grow(size)
    this.#room.set(chunk, this.#size)
  }

  #grow(size: number): void {
    const length = Math.min(this.#maxBytes, Math.max(size, 2 * this.#room.length, leastRoom))
    this.#take(length - this.#room.length)
    const room = new Uint8Array(length)
    room.set(this.bytes)
    this.#room = room
  }
}
