import { Rejection } from '../http/errors.ts'
import type { BodySink, HttpRequest } from '../http/http.ts'
import type { AuthInfo } from '../rpc/server.ts'

/** What a runtime or framework knows of a request beyond the fetch `Request`. */
export interface FetchContext {
  /** The body as an earlier middleware read it. */
  readonly parsedBody?: unknown
  /** What an authentication middleware verified. */
  readonly auth?: AuthInfo | undefined
  /**
   * The address on which the connection arrived, where the runtime tells; the peer's does as well, since who comes from
   * a loopback address came to one. On a loopback address the Host is checked: leave it out for a server on your own
   * machine, and a web page can reach it by DNS rebinding.
   */
  readonly localAddress?: string | undefined
  /**
   * Gets an error behind the refusal of this request, and the status of that: 500 for one of ours. Returns `false` when
   * that is not logged anywhere.
   */
  readonly onError?: ((error: unknown, status: number) => unknown) | undefined
}

export class WebRequest implements HttpRequest {
  readonly method: string
  readonly url: string
  auth: AuthInfo | undefined
  readonly parsedBody: unknown
  readonly localAddress: string | undefined
  readonly onError: ((error: unknown, status: number) => unknown) | undefined
  readonly #request: Request
  readonly #gone: (() => void)[] = []
  /** The body took too long. */
  tooSlow = false
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined

  constructor(request: Request, { parsedBody, auth, localAddress, onError }: FetchContext) {
    this.method = request.method
    this.url = request.url
    this.auth = auth
    this.parsedBody = parsedBody
    this.localAddress = localAddress
    this.onError = onError
    this.#request = request
    request.signal.addEventListener('abort', () => this.gone(), { once: true })
  }

  get headers(): HttpRequest['headers'] {
    return Object.fromEntries(this.#request.headers)
  }

  header(name: string): string | undefined {
    // Runtimes leave Host out of the headers; the URL was made from it.
    return this.#request.headers.get(name) ?? (name === 'host' ? new URL(this.url).host : undefined)
  }

  headerCount(name: string): number {
    return this.#request.headers.has(name) ? 1 : 0
  }

  onGone(listener: () => void): void {
    if (this.#request.signal.aborted) listener()
    else this.#gone.push(listener)
  }

  gone(): void {
    for (const listener of this.#gone.splice(0)) listener()
  }

  readBody(sink: BodySink): void {
    const { body, bodyUsed } = this.#request
    if (bodyUsed || body?.locked) return sink.fail(new Rejection('body_consumed'))
    this.#reader = body?.getReader()
    // Not every runtime breaks the body off with the signal.
    this.onGone(() => {
      this.#cancel()
      sink.fail(new Rejection('client_left'))
    })
    this.#readAll(sink).then(
      () => sink.end(),
      (error: unknown) => {
        this.#cancel()
        sink.fail(error)
      },
    )
  }

  async #readAll(sink: BodySink): Promise<void> {
    for (let chunk = await this.#readChunk(); chunk; chunk = await this.#readChunk()) sink.take(chunk)
  }

  stopReading(): void {
    this.tooSlow = true
    this.#cancel()
  }

  /** A body that breaks off is the client's doing. */
  async #readChunk(): Promise<Uint8Array | undefined> {
    try {
      return (await this.#reader?.read())?.value
    } catch {
      throw new Rejection('client_left')
    }
  }

  /** The rest is of no interest, nor how its end goes. */
  #cancel(): void {
    this.#reader?.cancel().catch(() => undefined)
  }
}
