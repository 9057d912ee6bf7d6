import type { EventStreamBody, HttpReply, Mountable } from '../http/http.ts'
import { checkMountable } from '../http/mountable.ts'
import { PacedSink, queueBytes } from '../http/paced-sink.ts'
import { toFaultReply } from '../http/reply.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import { type FetchContext, WebRequest } from './web-request.ts'

export type { FetchContext }

/**
 * A handler for every runtime that speaks fetch. Never rejects. What else the platform passes goes to `context` alone.
 */
export type FetchHandler<Platform extends unknown[] = []> = (
  request: Request,
  ...platform: Platform
) => Promise<Response>

/** Options of {@link toFetchHandler}. */
export interface FetchHandlerOptions<Platform extends unknown[] = []> {
  /**
   * What your platform or framework knows of a request beyond the `Request`. It gets what the handler is called with: a
   * Worker's `env`, Deno's connection info, Next's route context.
   */
  readonly context?: (request: Request, ...platform: Platform) => MaybePromise<FetchContext>
}

/**
 * Mounts an endpoint as a function from `Request` to `Response`.
 *
 * @example
 * ```ts
 * export default { fetch: toFetchHandler(endpoint) }
 * ```
 * @throws TypeError for what is no endpoint
 */
export function toFetchHandler<Platform extends unknown[] = []>(
  endpoint: Mountable,
  { context }: FetchHandlerOptions<Platform> = {},
): FetchHandler<Platform> {
  checkMountable(endpoint)
  return async (request, ...platform) => {
    try {
      const known = context ? await context(request, ...platform) : {}
      const asked = new WebRequest(request, known)
      const response = toResponse(await endpoint.handle(asked), request.signal)
      if (asked.tooSlow) response.headers.set('connection', 'close')
      return response
    } catch (error) {
      // `context` threw, or somebody's refusal has a header that no platform takes.
      return toResponse(toFaultReply(endpoint, error), request.signal)
    }
  }
}

function toResponse({ status, headers, body }: HttpReply, signal: AbortSignal): Response {
  const content = typeof body === 'object' ? toReadableStream(body, signal) : (body ?? null)
  return new Response(content, { status, headers: { ...headers } })
}

/**
 * An event stream as a web stream: the body of a `Response`. Cancelling it says that the client left; so does `signal`,
 * for what drops a stream without a word.
 */
export function toReadableStream(body: EventStreamBody, signal: AbortSignal): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  // Some runtimes ask for more while the stream is still being opened.
  let sink: PacedSink | undefined
  let isOpen = true
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const close = (how: () => void): void => {
          if (isOpen) how()
          isOpen = false
        }
        const cutOff = (): void => close(() => controller.error(new Error('The event stream was cut off')))
        // Nobody reads any more: an error would only be printed.
        const leave = (): void => {
          close(() => controller.close())
          sink?.gone()
        }
        const push = (chunk: string): boolean => {
          if (isOpen) controller.enqueue(encoder.encode(chunk))
          return (controller.desiredSize ?? 0) > 0
        }
        sink = PacedSink.open(body, {
          push,
          end: (text) => {
            if (text !== '') push(text)
            close(() => controller.close())
            // What is left is the platform's, which does not tell how it goes on.
            queueMicrotask(() => sink?.gone())
          },
          destroy: cutOff,
        })
        if (signal.aborted) leave()
        else signal.addEventListener('abort', leave, { once: true })
      },
      pull: () => sink?.drained(),
      cancel: () => {
        isOpen = false
        sink?.gone()
      },
    },
    // The default strategy would count chunks, whatever their size.
    new ByteLengthQueuingStrategy({ highWaterMark: body.queueBytes ?? queueBytes }),
  )
}
