import { Readable } from 'node:stream'
import type { EventSink, EventStreamBody } from '@throughline/mcp-http-core'

/** Bytes that may wait in the stream's queue. */
const highWater = 262_144

/**
 * An event stream as Node's `Readable`, which Fastify sends with all its hooks and headers.
 * Destroying it says that the client left.
 */
export function toReadable(body: EventStreamBody): Readable {
  const readable = new Readable({
    highWaterMark: highWater,
    read: () => events.drain(),
    destroy: (error, callback) => {
      events.gone()
      callback(error)
    },
  })
  const sink: EventSink = {
    write: (text) => readable.push(text),
    end: () => readable.push(null),
    destroy: () => readable.destroy(),
  }
  const events = body.open(sink)
  return readable
}
