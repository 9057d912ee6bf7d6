import { now } from '../promises/clock.ts'
import { unref } from '../promises/unref.ts'
import { createLink, type Link, LinkedList } from '../queues/linked-list.ts'
import { Rejection, retryLater } from './errors.ts'
import type { BodySink, HttpRequest } from './http.ts'

/** Bounds of bodies that are being read: see the options of the same names. */
export interface BodyLimits {
  readonly maxBodyBytes: number
  readonly maxBodyBytesInFlight: number
  readonly bodyTimeoutMs: number
}

/** The request bodies that one endpoint is reading. What counts is the memory they take, not what was declared. */
export class Bodies {
  readonly #limits: BodyLimits
  /** In the order of their deadlines: one timer serves all. */
  readonly #underWay = new LinkedList<Reading<unknown>>()
  #timer: ReturnType<typeof setInterval> | undefined
  #bytes = 0

  constructor(limits: BodyLimits) {
    this.#limits = limits
  }

  /** Bytes that are held for bodies of which more is to come. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Reads a request's body, and resolves with what `parse` makes of it.
   * @throws Rejection `body_too_large`, `body_too_slow`, `too_many_bodies`, and what `HttpRequest.readBody` fails with
   * and `parse` throws
   */
  read<T>(request: HttpRequest, parse: (body: Uint8Array) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const body = new JoinedChunks(this.#limits.maxBodyBytes, this.#take)
      const reading = new Reading<T>({ request, body, parse, resolve, reject, ended: this.#ended })
      this.#watch(reading.place)
      request.readBody(reading)
    })
  }

  #watch(place: Link<Reading<unknown>>): void {
    const { bodyTimeoutMs } = this.#limits
    if (bodyTimeoutMs > 0 && !this.#timer) {
      this.#timer = setInterval(() => this.#look(now() - bodyTimeoutMs), Math.min(1_000, Math.ceil(bodyTimeoutMs / 4)))
      // Its request keeps the process alive.
      unref(this.#timer)
    }
    this.#underWay.append(place, now())
  }

  #look(begunBy: number): void {
    for (let place = this.#underWay.first; place && place.since <= begunBy; ) {
      const { item, after } = place
      item.stop()
      place = after
    }
    if (this.#underWay.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  readonly #take = (bytes: number): void => {
    if (this.#bytes + bytes > this.#limits.maxBodyBytesInFlight) throw new Rejection('too_many_bodies', retryLater())
    this.#bytes += bytes
  }

  readonly #ended = (place: Link<Reading<unknown>>, bytes: number): void => {
    this.#underWay.remove(place)
    this.#bytes -= bytes
  }
}

interface ReadingParts<T> {
  readonly request: HttpRequest
  readonly body: JoinedChunks
  readonly parse: (body: Uint8Array) => T
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
  /** Once, with the bytes that it has held. */
  readonly ended: (place: Link<Reading<unknown>>, bytes: number) => void
}

/** A body that is being read. What the bridge listens with lives as long as the request, the bytes need not. */
class Reading<T> implements BodySink {
  readonly place: Link<Reading<unknown>> = createLink<Reading<unknown>>(this as Reading<unknown>)
  readonly #parts: ReadingParts<T>
  #isOver = false

  constructor(parts: ReadingParts<T>) {
    this.#parts = parts
  }

  take(chunk: Uint8Array): void {
    // Nobody waits for it any more: a bridge that still reads hears of it.
    if (this.#isOver) throw new Rejection('body_too_slow')
    this.#parts.body.add(chunk)
  }

  end(): void {
    const { body, parse, resolve, reject } = this.#parts
    const { bytes } = body
    if (!this.#close()) return
    try {
      resolve(parse(bytes))
    } catch (error) {
      reject(error)
    }
  }

  fail(error: unknown): void {
    if (this.#close()) this.#parts.reject(error)
  }

  /** It takes too long. */
  stop(): void {
    this.#parts.request.stopReading()
    this.fail(new Rejection('body_too_slow'))
  }

  /** `false`: it was over. */
  #close(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    const { body, ended } = this.#parts
    ended(this.place, body.capacity)
    body.drop()
    return true
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
    const size = this.#size + chunk.length
    if (size > this.#maxBytes) throw new Rejection('body_too_large')
    if (this.#size === 0) this.#begin(chunk)
    else this.#append(chunk, size)
    this.#size = size
  }

  drop(): void {
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
