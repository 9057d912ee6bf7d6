import { once } from 'node:events'
import { type Agent, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { EventReader, type Json } from './event-reader.ts'

/** Requests on `node:http`, with a reading of HTTP and SSE of its own: it shares no code with what it tests. */

export interface SendOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  /** An object is sent as JSON. */
  readonly body?: unknown
  readonly agent?: Agent
}

export const acceptBoth = 'application/json, text/event-stream'

/** Sends a request and resolves with the head of its reply. */
export async function send(url: string, options: SendOptions = {}): Promise<Reply> {
  const outgoing = begin(url, options)
  outgoing.end(typeof options.body === 'object' ? JSON.stringify(options.body) : options.body)
  return readReply(outgoing)
}

/** A request whose body is written by the caller, and which may be destroyed. */
export function begin(url: string, { method = 'POST', headers = {}, agent }: SendOptions = {}): ClientRequest {
  const outgoing = request(url, {
    method,
    headers: { accept: acceptBoth, ...(method === 'POST' && { 'content-type': 'application/json' }), ...headers },
    ...(agent && { agent }),
  })
  // Leaving on purpose is no fault.
  return outgoing.on('error', () => undefined)
}

export async function readReply(outgoing: ClientRequest): Promise<Reply> {
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return new Reply(response, outgoing)
}

export type Farewell = 'close' | 'reset'

/** Gives a request up, with all that was to come of it. */
export function leave(outgoing: ClientRequest, farewell: Farewell = 'close'): void {
  if (farewell === 'reset') outgoing.socket?.resetAndDestroy()
  else outgoing.destroy()
}

/** The head of a reply, and ways to read its body. */
export class Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly response: IncomingMessage
  readonly #request: ClientRequest
  #events: EventReader | undefined

  constructor(response: IncomingMessage, outgoing: ClientRequest) {
    this.status = response.statusCode as number
    this.headers = response.headers
    this.response = response
    this.#request = outgoing
    response.on('error', () => undefined)
  }

  get isStream(): boolean {
    return this.headers['content-type'] === 'text/event-stream'
  }

  async text(): Promise<string> {
    const chunks: Buffer[] = []
    for await (const chunk of this.response) chunks.push(chunk as Buffer)
    return decode(Buffer.concat(chunks), this.headers['content-encoding']).toString()
  }

  async json(): Promise<Json> {
    return JSON.parse(await this.text()) as Json
  }

  get events(): EventReader {
    this.#events ??= new EventReader(this.response)
    return this.#events
  }

  /** The JSON-RPC response, whichever way it came. */
  async answer(): Promise<Json> {
    if (!this.isStream) return this.json()
    for (;;) {
      const { message } = await this.events.next()
      if (!('method' in message)) return message
    }
  }

  leave(farewell: Farewell = 'close'): void {
    leave(this.#request, farewell)
  }
}

function decode(bytes: Buffer, coding: string | undefined): Buffer {
  if (coding === 'gzip') return gunzipSync(bytes)
  return coding === 'br' ? brotliDecompressSync(bytes) : bytes
}
