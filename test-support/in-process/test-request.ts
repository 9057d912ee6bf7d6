import type { AuthInfo, BodySink, HttpRequest } from '../../packages/core/src/index.ts'

/** A request as a bridge would make it. */
export class TestRequest implements HttpRequest {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
  auth: AuthInfo | undefined
  readonly parsedBody: unknown
  readonly localAddress: string | undefined
  readonly clientAddress: string | undefined
  readonly httpVersion: string | undefined
  bodyRead = false
  #leave: () => void = () => undefined
  #hasLeft = false
  readonly #body: Uint8Array

  constructor(method: string, options: RequestOptions = {}) {
    this.method = method
    this.url = options.url ?? '/mcp'
    this.headers = {
      host: 'localhost:3000',
      accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
      ...(method === 'POST' && { 'content-type': 'application/json' }),
      ...options.headers,
    }
    this.auth = options.auth
    this.parsedBody = options.parsedBody
    this.localAddress = options.localAddress ?? '127.0.0.1'
    this.clientAddress = options.clientAddress
    this.httpVersion = options.httpVersion
    const { body } = options
    this.#body =
      body instanceof Uint8Array
        ? body
        : new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body))
  }

  header(name: string): string | undefined {
    return this.headers[name]
  }

  headerCount(name: string): number {
    return name in this.headers ? 1 : 0
  }

  readBody(sink: BodySink): void {
    this.bodyRead = true
    const read = async (): Promise<void> => sink.take(this.#body)
    read().then(
      () => sink.end(),
      (error: unknown) => sink.fail(error),
    )
  }

  stopReading(): void {
    return
  }

  onGone(listener: () => void): void {
    if (this.#hasLeft) listener()
    else this.#leave = listener
  }

  leave(): void {
    this.#hasLeft = true
    this.#leave()
  }
}

export interface RequestOptions {
  url?: string
  headers?: Record<string, string>
  body?: unknown
  auth?: AuthInfo | undefined
  parsedBody?: unknown
  localAddress?: string
  clientAddress?: string
  httpVersion?: string
}
