import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  type ServerResponse,
  request as send,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream'
import { constants, createGzip } from 'node:zlib'
import { onTestFinished } from 'vitest'

/** What a hop does to what passes through it. Without any of it, it passes bytes on as they come. */
export interface Tampering {
  readonly onRequest?: (headers: IncomingHttpHeaders) => void
  readonly onResponse?: (headers: Record<string, OutgoingHttpHeader | undefined>) => void
  /** `whole`: holds the answer back until it is complete. `late`: holds bytes back for 200 ms, as HAProxy does. */
  readonly body?: 'whole' | 'late' | 'gzip' | 'gzip-flushed'
  /** Cuts a connection on which nothing came for as long. */
  readonly idleMs?: number
}

/** A hop in front of the upstreams, which take turns; ended with the test. Gives its URL. */
export async function startProxy(upstreams: readonly string[], tampering: Tampering = {}): Promise<string> {
  let turn = 0
  const server = createServer((incoming, outgoing) => {
    const upstream = new URL(upstreams[turn++ % upstreams.length] ?? '')
    pass({ incoming, outgoing, upstream }, tampering)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
}

interface Passage {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly upstream: URL
}

function pass({ incoming, outgoing, upstream }: Passage, tampering: Tampering): void {
  const headers = { ...incoming.headers, host: upstream.host }
  tampering.onRequest?.(headers)
  const { method, url: path } = incoming
  const options = { host: upstream.hostname, port: upstream.port, method, path, headers, agent: false }
  const forwarded = send(options, (answer) => {
    const wantsGzip = /gzip/.test(incoming.headers['accept-encoding'] ?? '')
    answerWith({ answer, outgoing, wantsGzip }, tampering)
  })
  forwarded.on('error', () => outgoing.destroy())
  outgoing.on('close', () => forwarded.destroy())
  pipeline(incoming, forwarded, () => undefined)
}

interface Answer {
  readonly answer: IncomingMessage
  readonly outgoing: ServerResponse
  readonly wantsGzip: boolean
}

function answerWith({ answer, outgoing, wantsGzip }: Answer, { onResponse, body, idleMs }: Tampering): void {
  const headers: OutgoingHttpHeaders = { ...answer.headers }
  const isEventStream = /^text\/event-stream/.test(answer.headers['content-type'] ?? '')
  const isGzip = body?.startsWith('gzip') === true && isEventStream && wantsGzip
  onResponse?.(headers)
  if (isGzip) headers['content-encoding'] = 'gzip'
  if (body !== 'whole') {
    outgoing.writeHead(answer.statusCode ?? 502, headers)
    outgoing.flushHeaders()
  }
  if (idleMs !== undefined && isEventStream) cutWhenIdle(answer, outgoing, idleMs)
  if (body === 'whole') return sendWhole(answer, outgoing, headers)
  if (body === 'late') return sendLate(answer, outgoing)
  const flush = body === 'gzip-flushed' ? constants.Z_SYNC_FLUSH : constants.Z_NO_FLUSH
  if (isGzip) pipeline(answer, createGzip({ flush }), outgoing, () => undefined)
  else pipeline(answer, outgoing, () => undefined)
}

function sendWhole(answer: IncomingMessage, outgoing: ServerResponse, headers: OutgoingHttpHeaders): void {
  const parts: Buffer[] = []
  answer.on('data', (part: Buffer) => parts.push(part))
  answer.on('end', () => outgoing.writeHead(answer.statusCode ?? 502, headers).end(Buffer.concat(parts)))
  answer.on('error', () => outgoing.destroy())
}

function sendLate(answer: IncomingMessage, outgoing: ServerResponse): void {
  const parts: Buffer[] = []
  const release = () => {
    if (parts.length > 0) outgoing.write(Buffer.concat(parts.splice(0)))
  }
  answer.on('data', (part: Buffer) => {
    if (parts.length === 0) setTimeout(release, 200)
    parts.push(part)
  })
  answer.on('end', () => outgoing.end(Buffer.concat(parts.splice(0))))
  answer.on('error', () => outgoing.destroy())
}

function cutWhenIdle(answer: IncomingMessage, outgoing: ServerResponse, idleMs: number): void {
  let timer = setTimeout(() => outgoing.destroy(), idleMs)
  answer.on('data', () => {
    clearTimeout(timer)
    timer = setTimeout(() => outgoing.destroy(), idleMs)
  })
  outgoing.on('close', () => clearTimeout(timer))
}
