import { Rejection } from '../http/errors.ts'
import type { BodySink, HttpRequest } from '../http/http.ts'
import type { TraceContext } from '../http/trace-context.ts'
import type { AuthInfo } from '../rpc/server.ts'

/** What the owner of a session must know of a request that came to another node: what tools see of it, too. */
export interface Forwarded {
  readonly method: string
  readonly url: string
  readonly headers: HttpRequest['headers']
  /** The JSON of a POST. */
  readonly body?: unknown
  readonly auth?: AuthInfo | undefined
  readonly clientAddress?: string | undefined
  /** Of the node that asks. Older nodes neither send nor read it. */
  readonly traceContext?: TraceContext | undefined
  /** See {@link HttpRequest.isRecovery}. Older nodes neither send nor read it. */
  readonly isRecovery?: boolean
}

export function toForwarded({ method, url, headers, auth, clientAddress }: HttpRequest, body?: unknown): Forwarded {
  return { method, url, headers, auth, clientAddress, ...(body !== undefined && { body }) }
}

/** A request to another node, as the owner of its session sees it. Its guards were that node's. */
export class ForwardedRequest implements HttpRequest {
  readonly method: string
  readonly url: string
  readonly headers: HttpRequest['headers']
  readonly localAddress = undefined
  readonly isForwarded = true
  readonly clientAddress: string | undefined
  readonly traceContext: TraceContext | undefined
  readonly isRecovery: boolean
  readonly parsedBody: unknown
  auth: AuthInfo | undefined
  readonly #onGone: (() => void)[] = []
  #hasLeft = false

  constructor({ method, url, headers, body, auth, clientAddress, traceContext, isRecovery = false }: Forwarded) {
    this.method = method
    this.url = url
    this.headers = headers
    this.parsedBody = body
    this.auth = auth && withUrl(auth)
    this.clientAddress = clientAddress
    this.traceContext = traceContext
    this.isRecovery = isRecovery
  }

  header(name: string): string | undefined {
    const value = this.headers[name]
    return typeof value === 'object' ? value.join(', ') : value
  }

  headerCount(name: string): number {
    const value = this.headers[name]
    return value === undefined ? 0 : typeof value === 'object' ? value.length : 1
  }

  readBody(sink: BodySink): void {
    sink.fail(new Rejection('body_consumed'))
  }

  stopReading(): void {
    return
  }

  onGone(listener: () => void): void {
    if (this.#hasLeft) listener()
    else this.#onGone.push(listener)
  }

  /** The other node says that the client has left. */
  leave(): void {
    this.#hasLeft = true
    for (const listener of this.#onGone.splice(0)) listener()
  }
}

/** On its way, as JSON, the URL became a text. */
function withUrl(auth: AuthInfo): AuthInfo {
  const resource: unknown = auth.resource
  return typeof resource === 'string' && URL.canParse(resource) ? { ...auth, resource: new URL(resource) } : auth
}
