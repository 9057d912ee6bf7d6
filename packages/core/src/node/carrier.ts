import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse, ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Mountable, Outgoing } from '../http/http.ts'
import { now } from '../promises/clock.ts'
import { isNetwork } from './emulated.ts'
import type { NodeResponse } from './node-handler.ts'

/** What a client has to take in the time of a stall, in bytes, to count as reading. */
const stepBytes = 16_384

const carriers = new WeakMap<Socket | ServerHttp2Stream, Carrier>()

/**
 * Has the endpoint look after a response. Whoever writes it ends it with bytes in Node's queues, which a client that
 * reads nothing would leave there for ever. Nothing is made or listened to for a further request on a connection.
 */
export function watchResponse(response: NodeResponse, { watch }: Mountable): void {
  const pipe = isHttp2(response) ? response.stream : response.req?.socket
  if (!watch || !isNetwork(pipe)) return
  let carrier = carriers.get(pipe)
  if (!carrier) {
    carrier = new Carrier(pipe)
    carriers.set(pipe, carrier)
  }
  carrier.carry(response, watch)
}

/** A connection of HTTP/1, or a stream of HTTP/2. */
class Carrier implements Outgoing {
  readonly #pipe: Socket | ServerHttp2Stream
  /** The newest of ours: when that is complete, those before it are. */
  #response: NodeResponse | undefined
  #isWatched = false
  /** What the network had of all bytes when it had last taken a step, and when that was. */
  #taken = 0
  #takenAt = 0
  /** Looks since then: a process that was busy for a whole stall has not let anybody read. */
  #looks = 0

  constructor(pipe: Socket | ServerHttp2Stream) {
    this.#pipe = pipe
  }

  carry(response: NodeResponse, watch: (outgoing: Outgoing) => void): void {
    this.#response = response
    if (this.#isWatched) return
    this.#isWatched = true
    this.#takenAt = now()
    watch(this)
  }

  look(time: number, stallMs: number): boolean {
    if (!this.#response || isOver(this.#response, this.#pipe)) {
      // Until the next request comes its memory is free.
      this.#response = undefined
      this.#isWatched = false
      return false
    }
    const taken = bytesTaken(this.#pipe)
    if (this.#pipe.writableLength === 0 || taken - this.#taken >= stepBytes || taken === Infinity) {
      this.#taken = taken
      this.#takenAt = time
      this.#looks = 0
    } else if (++this.#looks > 1 && time - this.#takenAt >= stallMs) {
      this.#pipe.destroy()
    }
    return true
  }
}

function isHttp2(response: NodeResponse): response is Http2ServerResponse {
  return 'stream' in response
}

function isOver(response: NodeResponse, pipe: Socket | ServerHttp2Stream): boolean {
  return pipe.destroyed || response.writableFinished || (response as ServerResponse).closed
}

/** Node's own time-outs go by these: nothing else shows how much of one large write is still to be sent. */
interface Handle {
  readonly bytesWritten?: number
  readonly writeQueueSize?: number
  /** Beneath TLS. */
  readonly _parent?: Handle
}

/**
 * Bytes that the network has taken; `Infinity` where a runtime does not show it. Of a stream of HTTP/2 nothing is known
 * but what its connection has sent.
 */
function bytesTaken(pipe: Socket | ServerHttp2Stream): number {
  if (!('bytesWritten' in pipe)) return pipe.session?.socket.bytesWritten ?? Infinity
  const { _handle: handle } = pipe as { readonly _handle?: Handle | null }
  const { bytesWritten = Infinity, writeQueueSize = 0 } = handle?._parent ?? handle ?? {}
  return bytesWritten - writeQueueSize
}
