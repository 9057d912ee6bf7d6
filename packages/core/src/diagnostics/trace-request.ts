import type { HttpReply, HttpRequest, Mountable } from '../http/http.ts'
import { traces } from './channels.ts'
import type { RequestMessage } from './messages.ts'

type Answer = (request: HttpRequest, trace: RequestMessage | undefined) => Promise<HttpReply>

/** The same as a handler that publishes each request, while somebody observes them. */
export function traceRequest(known: { readonly endpoint: object }, answer: Answer): Mountable['handle'] {
  return (request) => {
    if (!traces.request.isObserved) return answer(request, undefined)
    const trace = toMessage(request, known.endpoint)
    return traces.request.run(trace, () => answer(request, trace), settle)
  }
}

function toMessage(request: HttpRequest, endpoint: object): RequestMessage {
  const { method: httpMethod, url, clientAddress, clientPort, httpVersion } = request
  return {
    version: 1,
    endpoint,
    startedAt: performance.now(),
    durationMs: undefined,
    error: undefined,
    within: undefined,
    httpMethod,
    path: toPath(url),
    clientAddress,
    clientPort,
    httpVersion,
    status: undefined,
    body: undefined,
    refusal: undefined,
  }
}

function settle(trace: RequestMessage, { status, body }: HttpReply): void {
  trace.status = status
  trace.body = typeof body === 'object' ? 'stream' : body === undefined ? 'none' : 'json'
}

/** A query may carry what is nobody's business. On the web bridge the URL is a whole one. */
export function toPath(url: string): string {
  return url.replace(/^[a-z]+:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
}
