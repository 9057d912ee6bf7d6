import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { EventStreamBody } from '../http/http.ts'
import { PacedSink, queueBytes } from '../http/paced-sink.ts'
import { onClose } from './on-close.ts'
import { tcpKeepAliveMs } from './tcp-keep-alive.ts'

/**
 * An event stream as Node's `Readable`, for a framework that sends it with its own hooks and headers. It is destroyed
 * with the response, also when a hook has dropped it without a word.
 */
export function toReadable(body: EventStreamBody, response: ServerResponse): Readable {
  const readable = new Readable({
    highWaterMark: body.queueBytes ?? queueBytes,
    read: () => sink.drained(),
    destroy: (error, callback) => {
      // What was read to its end is still on its way to the client.
      if (!readable.readableEnded) sink.gone()
      callback(error)
    },
  })
  const sink = PacedSink.open(body, {
    push: (chunk) => readable.push(chunk),
    end: (text) => {
      if (text !== '') readable.push(text)
      readable.push(null)
    },
    destroy: () => (readable.readableEnded ? response : readable).destroy(),
  })
  // A socket that is injected has none.
  response.req.socket?.setKeepAlive?.(true, tcpKeepAliveMs)
  onClose(response, () => {
    readable.destroy()
    sink.gone()
  })
  return readable
}
