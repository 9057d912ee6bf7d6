import { Rejection } from '../http/errors.ts'
import type { HttpRequest } from '../http/http.ts'
import type { AuthInfo } from '../rpc/server.ts'

/** What a runtime or framework knows of a request beyond the fetch `Request`. */
export interface FetchContext {
  /** The body as an earlier middleware read it. */
  readonly parsedBody?: unknown
  /** What an authentication middleware verified. */
  readonly auth?: AuthInfo | undefined
  /**
   * The address on which the connection arrived, where the runtime tells; the peer's does as well, since who comes from a
   * loopback address came to one. On a loopback address the Host is checked:
   * leave it out for a server on your own machine, and a web page can reach it by DNS rebinding.
   */
  readonly localAddress?: string | undefined
  /** Is told of an error behind the refusal of this request, and the status of that: 500 for one of ours. */
  readonly onError?: ((error: unknown, status: number) => void) | undefined
}

export class WebRequest implements HttpRequest {
  readonly method: string
  readonly url: string
  auth: AuthInfo | undefined
  readonly parsedBody: unknown
  readonly localAddress: string | undefined
  readonly onError: ((error: unknown, status: number) => void) | undefined
  readonly #request: Request
  readonly #gone: (() => void)[] = []

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

  async readBody(maxBytes: number): Promise<Uint8Array> {
    const { body, bodyUsed } = this.#request
    if (bodyUsed) throw new Rejection('body_consumed')
    const reader = body?.getReader()
    const chunks: Uint8Array[] = []
    let size = 0
    for (let chunk = await readChunk(reader); chunk; chunk = await readChunk(reader)) {
      size += chunk.length
      chunks.push(chunk)
      if (size <= maxBytes) continue
      // The rest is of no interest, nor how its end goes.
      reader?.cancel().catch(() => undefined)
      throw new Rejection('body_too_large')
    }
    return concat(chunks, size)
  }
}

/** A body that breaks off is the client's doing. */
async function readChunk(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<Uint8Array | undefined> {
  try {
    return (await reader?.read())?.value
  } catch {
    throw new Rejection('client_left')
  }
}

function concat(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}
