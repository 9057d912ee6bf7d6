import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request, and the status that the server behind has answered it with. */
export interface Passing {
  readonly method: string
  readonly body: string
  readonly status: number
}

export interface Answer {
  readonly status: number
  /** JSON, or nothing. */
  readonly body: string
}

export interface Changes {
  /** The body that is handed on in place of that of a POST. */
  body?(body: string): string
  /** Each piece of an answer, of the same length. */
  reply?(text: string): string
  /** What is answered, and the server behind is not asked. */
  unasked?(incoming: IncomingMessage): Answer | undefined
  /** Whether the connection of a request with this body is cut in place of an answer. */
  isBroken?(body: string): boolean
  /** Answers requests by a stream, and does not end it after the response. */
  readonly leavesStreamsOpen?: boolean
  /** What is answered in place of what it said. */
  answer?(passing: Passing): Answer | undefined
}

export interface ChangingProxy {
  readonly url: string
  close(): void
}

/** A server that does some things in another way than the one behind it, as published servers do. */
export async function startChangingProxy(url: string, changes: Changes): Promise<ChangingProxy> {
  const server = createServer(async (incoming, response) => {
    const { method = 'GET' } = incoming
    const sent = await readBody(incoming)
    if (changes.isBroken?.(sent)) return response.destroy()
    const body = method === 'POST' ? (changes.body?.(sent) ?? sent) : sent
    const unasked = changes.unasked?.(incoming)
    if (unasked !== undefined) return write(response, unasked)
    const headers = { ...incoming.headers, host: new URL(url).host }
    delete headers['transfer-encoding']
    const isStreamed = changes.leavesStreamsOpen === true && takesBoth(incoming)
    if (isStreamed) headers.accept = 'text/event-stream'
    if (body !== '') headers['content-length'] = String(Buffer.byteLength(body))
    const onward = request(url, { method, headers, agent: false }, (answer) => {
      const { statusCode: status = 502 } = answer
      const changed = changes.answer?.({ method, body, status })
      if (changed !== undefined) {
        answer.resume()
        return write(response, changed)
      }
      response.writeHead(status, answer.headers)
      response.flushHeaders()
      answer.setEncoding('utf8')
      let isAnswered = false
      answer.on('data', (text: string) => {
        isAnswered ||= /"(result|error)":/.test(text)
        response.write(changes.reply?.(text) ?? text)
      })
      answer.on('end', () => (isStreamed && isAnswered) || response.end())
    })
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    onward.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function takesBoth({ method, headers: { accept = '' } }: IncomingMessage): boolean {
  return method === 'POST' && accept === 'application/json, text/event-stream'
}

function write(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, body === '' ? {} : { 'content-type': 'application/json' }).end(body)
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of incoming.setEncoding('utf8')) body += chunk
  return body
}
