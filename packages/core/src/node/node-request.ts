import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Readable } from 'node:stream'
import { Rejection } from '../http/errors.ts'
import type { BodySink, HttpRequest } from '../http/http.ts'
import type { AuthInfo } from '../rpc/server.ts'
import { isNetwork } from './emulated.ts'
import { onClose } from './on-close.ts'

/**
 * What is discarded of a body that was refused, so that its client can read the refusal. More, and the socket is
 * closed.
 */
const maxDiscarded = 67_108_864

/** Time, in milliseconds, in which the rest of a body that was refused must come. Fastify has no limit of its own. */
const discardTimeoutMs = 30_000

/**
 * Node's request, and what connect-style middleware hangs on it: `body` (body parsers) and `auth` (`requireBearerAuth`
 * of the SDK).
 */
export type ConnectRequest = (IncomingMessage | Http2ServerRequest) & {
  readonly body?: unknown
  readonly auth?: AuthInfo
}

/** What a framework knows of a request beyond Node's own objects. What is left out is looked for on the request. */
export interface NodeContext {
  /**
   * What an earlier body parser left. Looked at only when the body was already read.
   * @default request.body
   */
  readonly parsedBody?: unknown
  /**
   * The stream that a hook in front has put in the place of the body, such as one that deciphers it.
   * @default the request
   */
  readonly body?: Readable | undefined
  /**
   * What an authentication middleware verified.
   * @default request.auth
   */
  readonly auth?: AuthInfo | undefined
  /**
   * The address on which the connection arrived. On a loopback address the Host is checked, against DNS rebinding.
   * @default that of the socket
   */
  readonly localAddress?: string | undefined
  /**
   * Gets an error behind the refusal of this request, and the status of that: 500 for one of ours. Returns `false` when
   * that is not logged anywhere.
   */
  readonly onError?: ((error: unknown, status: number) => unknown) | undefined
}

/** Node's own request, without a copy of anything. */
export class NodeRequest implements HttpRequest {
  auth: AuthInfo | undefined
  readonly parsedBody: unknown
  readonly localAddress: string | undefined
  readonly onError: ((error: unknown, status: number) => unknown) | undefined
  /** Its response waited for those of pipelined requests before it. */
  wasQueued = false
  readonly #incoming: IncomingMessage
  readonly #body: Readable
  readonly #response: ServerResponse

  constructor(connectRequest: ConnectRequest, response: ServerResponse, context: NodeContext) {
    // The compatibility API of HTTP/2 is the same for all that is used here.
    const incoming = connectRequest as IncomingMessage
    this.#incoming = incoming
    // Whoever reads it hears of an error; where nobody does, it must not end the process.
    this.#body = context.body?.on('error', () => undefined) ?? incoming
    this.#response = response
    this.auth = context.auth ?? connectRequest.auth
    this.localAddress = context.localAddress ?? incoming.socket?.localAddress
    this.onError = context.onError
    // Parsers leave `{}` behind when they found nothing to parse: what was not read is still ours to read.
    const body = context.parsedBody === undefined ? connectRequest.body : context.parsedBody
    this.parsedBody = wasRead(this.#body) || (isUnreadable(incoming) && hasContent(body)) ? body : undefined
  }

  get method(): string {
    return this.#incoming.method ?? ''
  }

  get url(): string {
    return this.#incoming.url ?? ''
  }

  get headers(): IncomingMessage['headers'] {
    return this.#incoming.headers
  }

  get clientAddress(): string | undefined {
    return this.#incoming.socket?.remoteAddress
  }

  get clientPort(): number | undefined {
    return this.#incoming.socket?.remotePort
  }

  get httpVersion(): string | undefined {
    return this.#incoming.httpVersion
  }

  header(name: string): string | undefined {
    const value: unknown = this.#incoming.headers[name]
    // Of repeated lines Node shows the first.
    if (name === 'authorization' && this.headerCount(name) > 1) return this.#lines(name).join(', ')
    if (typeof value === 'string') return value
    // HTTP/2 names the host in a pseudo-header.
    if (value === undefined)
      return name === 'host' ? (this.#incoming.headers[':authority'] as string | undefined) : undefined
    // Who emulates Node's request may have numbers here.
    return Array.isArray(value) ? value.join(', ') : String(value)
  }

  headerCount(name: string): number {
    const { rawHeaders, headers } = this.#incoming
    // Who emulates Node's request leaves them out or empty.
    if (!rawHeaders?.length) return countOf(headers[name])
    let count = 0
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const raw = rawHeaders[i] as string
      if (raw.length === name.length && raw.toLowerCase() === name) count++
    }
    return count
  }

  #lines(name: string): string[] {
    const { rawHeaders = [], headers } = this.#incoming
    const lines = rawHeaders.filter((_line, i) => rawHeaders[i - 1]?.toLowerCase() === name && i % 2 === 1)
    return lines.length > 0 ? lines : [headers[name] ?? []].flat()
  }

  onGone(listener: () => void): void {
    const response = this.#response
    onClose(response, () => {
      if (!response.writableEnded) listener()
    })
  }

  readBody(sink: BodySink): void {
    const body = this.#body
    const incoming = this.#incoming
    if (wasRead(body)) return sink.fail(new Rejection('body_consumed'))
    // Its events are past.
    if (isCutOff(body) || isCutOff(incoming)) return sink.fail(new Rejection('client_left'))
    // Kept by the request's own listeners only: a field that held them cost a third of a call's CPU, in garbage
    // collection.
    const onData = (chunk: Buffer | string): void => {
      try {
        // Middleware in front may have set an encoding.
        sink.take(typeof chunk === 'string' ? Buffer.from(chunk, body.readableEncoding ?? 'utf8') : chunk)
      } catch (error) {
        body.off('data', onData)
        sink.fail(error)
      }
    }
    const onLeft = (): void => {
      if (!body.readableEnded) sink.fail(new Rejection('client_left'))
    }
    body
      .on('data', onData)
      .on('end', () => sink.end())
      .on('close', onLeft)
      .on('error', onLeft)
    // A stream that the request is piped into does not hear of it.
    if (body !== incoming) incoming.on('close', () => isCutOff(incoming) && onLeft())
  }

  stopReading(): void {
    const response = this.#response as ServerResponse | Http2ServerResponse
    if ('shouldKeepAlive' in response) response.shouldKeepAlive = false
    // HTTP/2 keeps the connection for other streams, and resets this one (RFC 9113 §8.1).
    else response.stream.once('finish', () => response.stream.close())
  }

  /** The reply is decided and the rest of the body does not matter. An unread body would block the connection. */
  discardBody(): void {
    const body = this.#body
    const incoming = this.#incoming
    // An emulated request has no connection that could be blocked, nor is it known to end or to be destroyed.
    if (isUnreadable(incoming) || incoming.complete || incoming.destroyed) return
    let size = 0
    // Once it is answered Node does not tell a request that its client leaves, but for HTTP/2.
    const isTold = !('shouldKeepAlive' in this.#response && isNetwork(incoming.socket))
    const socket = isTold ? undefined : incoming.socket
    const timer = setTimeout(() => incoming.destroy(), discardTimeoutMs)
    const stop = (): void => {
      clearTimeout(timer)
      socket?.off('close', stop)
    }
    socket?.on('close', stop)
    incoming.on('end', stop).on('close', stop)
    body.on('error', () => incoming.destroy())
    body.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > maxDiscarded) incoming.destroy()
    })
  }
}

/** Who emulates Node's request may give the body with it instead of sending it. */
function isUnreadable(incoming: IncomingMessage): boolean {
  return (incoming.readableDidRead as boolean | undefined) === undefined
}

function hasContent(body: unknown): boolean {
  return typeof body === 'object' && body !== null ? Object.keys(body).length > 0 : Boolean(body)
}

function countOf(value: string | string[] | undefined): number {
  if (value === undefined) return 0
  return Array.isArray(value) ? value.length : 1
}

/** An empty body is read to its end without any data. */
function wasRead(body: Readable): boolean {
  return body.readableDidRead || body.readableEnded
}

function isCutOff(body: Readable): boolean {
  return body.destroyed && !body.readableEnded
}
