import type { EventStreamBody, HttpReply } from '@throughline/mcp-http-core'
import { onClose } from '@throughline/mcp-http-core/node'
import { toReadableStream } from '@throughline/mcp-http-core/web'
import type { Outgoing } from './bindings.ts'

/**
 * A reply as the `Response` that `@hono/node-server` writes: it is light there, a string goes to Node's response as it
 * is. That it is a response like any other is the point: middleware may still change it, wrap it or replace it.
 */
export function toResponse({ status, headers, body }: HttpReply, outgoing: Outgoing): Response {
  if (typeof body === 'object') {
    const stream = toReadableStream(onNode(body, outgoing), new AbortController().signal)
    return new Response(stream, { status, headers: { ...headers } })
  }
  // Without a length Node would send an empty body in chunks; 204 has none at all (RFC 9110 §8.6).
  const length = body === undefined && status !== 204 ? { 'content-length': '0' } : {}
  return new Response(body ?? null, { status, headers: { ...headers, ...length } })
}

/**
 * The stream ends with the exchange, also when a middleware has dropped it without a word. A stalled reader is cut off
 * by Node itself: an error of the web stream, `@hono/node-server` would print.
 */
function onNode(body: EventStreamBody, outgoing: Outgoing): EventStreamBody {
  return {
    open: (sink) => {
      let isEnding = false
      const events = body.open({
        write: (text) => sink.write(text),
        end: (text) => {
          isEnding = true
          sink.end(text)
        },
        destroy: () => outgoing.destroy(),
      })
      onClose(outgoing, () => events.gone())
      return {
        drain: () => events.drain(),
        progress: () => events.progress(),
        // What the web stream has handed over is still on its way.
        gone: () => {
          if (!isEnding) events.gone()
        },
      }
    },
  }
}
