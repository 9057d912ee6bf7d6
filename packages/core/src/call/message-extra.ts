import type { HttpRequest } from '../http/http.ts'
import type { AuthInfo } from '../rpc/server.ts'
import type { StreamWriter } from '../stream/stream-writer.ts'
import type { Classification, Exchange } from './exchange.ts'

/**
 * Goes to the server object with a message, in the words of both SDK generations. Everything that costs is a getter:
 * most handlers look at none of it.
 */
export class MessageExtra {
  readonly #request: HttpRequest
  readonly #exchange: Exchange | undefined
  readonly #standalone: StreamWriter | undefined
  /** SDK 2.x: which revision the message is of, where that is not the session's. */
  readonly classification: Classification | undefined

  constructor(request: HttpRequest, exchange?: Exchange, standalone?: StreamWriter, classification?: Classification) {
    this.#request = request
    this.#exchange = exchange
    this.#standalone = standalone
    this.classification = classification
  }

  get authInfo(): AuthInfo | undefined {
    return this.#request.auth
  }

  /** SDK 1.x. */
  get requestInfo(): { headers: HttpRequest['headers'] } {
    return { headers: this.#request.headers }
  }

  /** SDK 2.x: the parts of a fetch `Request` that concern a handler. */
  get request(): RequestView {
    return new RequestView(this.#request)
  }

  /** Cuts this call's connection, not the call: the client polls. Absent where the client would lose the answer. */
  get closeSSEStream(): (() => void) | undefined {
    const exchange = this.#exchange
    return exchange?.canPoll ? () => exchange.cutConnection() : undefined
  }

  get closeStandaloneSSEStream(): (() => void) | undefined {
    const standalone = this.#standalone
    return standalone && (() => standalone.reader?.cut())
  }
}

/** Looks like the head of a fetch `Request`, and is built only when it is read. */
export class RequestView {
  readonly #request: HttpRequest
  #headers: Headers | undefined

  constructor(request: HttpRequest) {
    this.#request = request
  }

  get method(): string {
    return this.#request.method
  }

  get url(): string {
    return this.#request.url
  }

  get headers(): Headers {
    this.#headers ??= toHeaders(this.#request.headers)
    return this.#headers
  }
}

function toHeaders(fields: HttpRequest['headers']): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(fields)) {
    // HTTP/2 pseudo-headers are no header fields.
    if (value === undefined || name.startsWith(':')) continue
    for (const line of typeof value === 'string' ? [value] : value) headers.append(name, line)
  }
  return headers
}
