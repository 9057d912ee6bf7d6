import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { type EventStreamBody, PacedSink, queueBytes } from '@throughline/mcp-http-core'
import { onClose } from '@throughline/mcp-http-core/node'

/** Delay after which the kernel probes a silent connection, in milliseconds. */
const tcpKeepAliveMs = 15_000

/**
 * An event stream as Node's `Readable`, which Fastify sends with all its hooks and headers. It is destroyed with the
 * response, also when a hook has dropped it without a word.
 */
export function toReadable(body: EventStreamBody, response: ServerResponse): Readable {
  const readable = new Readable({
    highWaterMark: queueBytes,
    read: () => sink.drained(),
    destroy: (error, callback) => {
      sink.gone()
      callback(error)
    },
  })
  const sink = PacedSink.open(body, {
    push: (chunk) => readable.push(chunk),
    end: (text) => {
      if (text !== '') readable.push(text)
      readable.push(null)
    },
    destroy: () => readable.destroy(),
  })
  // A socket that is injected has none.
  response.req.socket.setKeepAlive?.(true, tcpKeepAliveMs)
  onClose(response, () => readable.destroy())
  return readable
}
