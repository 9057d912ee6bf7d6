import type { EventSink, EventStreamBody, Mountable, SinkEvents } from '../http.ts'
import { type FetchContext, WebRequest } from './web-request.ts'

export type { FetchContext }

/** A handler for every runtime that speaks fetch. */
export type FetchHandler = (request: Request, context?: FetchContext) => Promise<Response>

/** Bytes that may wait in the response's queue. The default strategy would count chunks, whatever their size. */
const highWater = 262_144

/**
 * Mounts an endpoint as a function from `Request` to `Response`.
 *
 * @example
 * ```ts
 * export default { fetch: toFetchHandler(endpoint) }
 * ```
 */
export function toFetchHandler(endpoint: Mountable): FetchHandler {
  return async (request, context = {}) => {
    const { status, headers, body } = await endpoint.handle(new WebRequest(request, context))
    return new Response(typeof body === 'object' ? toReadable(body, request.signal) : (body ?? null), {
      status,
      headers: { ...headers },
    })
  }
}

function toReadable(body: EventStreamBody, signal: AbortSignal): ReadableStream<Uint8Array> {
  let events: SinkEvents | undefined
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const sink = new WebSink(controller)
        const opened = body.open(sink)
        events = opened
        const leave = (): void => {
          sink.destroy()
          opened.gone()
        }
        if (signal.aborted) leave()
        else signal.addEventListener('abort', leave, { once: true })
      },
      pull: () => events?.drain(),
      // The reader is gone: nothing is written any more, so the closed controller is not touched again.
      cancel: () => events?.gone(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: highWater }),
  )
}

class WebSink implements EventSink {
  readonly #controller: ReadableStreamDefaultController<Uint8Array>
  readonly #encoder = new TextEncoder()
  #closed = false

  constructor(controller: ReadableStreamDefaultController<Uint8Array>) {
    this.#controller = controller
  }

  write(text: string): boolean {
    if (this.#closed) return false
    this.#controller.enqueue(this.#encoder.encode(text))
    return (this.#controller.desiredSize ?? 0) > 0
  }

  end(): void {
    if (this.#closed) return
    this.#closed = true
    this.#controller.close()
  }

  destroy(): void {
    if (this.#closed) return
    this.#closed = true
    this.#controller.error(new Error('The event stream was cut off'))
  }
}
