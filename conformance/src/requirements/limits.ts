import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { CheckContext } from '../client/context.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectAccepted, expectEqual, expectStatus, expectThat } from '../client/expect.ts'
import { initialize, request, textOf, toolCall } from '../client/json-rpc.ts'
import { expectAlive, freshPing, numbers } from '../client/probes.ts'
import { plainHeaders, responseIn } from '../client/session.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const tooLarge = 20 * 1_048_576
const piece = Buffer.alloc(65_536, 0x20)

/** Pieces of a JSON request that is `bytes` long. */
function* longBody(bytes: number): Generator<Buffer> {
  yield Buffer.from('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"filler":"')
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece
  yield Buffer.from('"}}')
}

let bomb: Buffer | undefined

/** 48 MiB in a small body. Valid JSON, so that it is refused for its size and nothing else. Made once: it takes a while. */
function gzipBomb(): Buffer {
  const padding = Buffer.alloc(48 * 1_048_576, 0x20)
  bomb ??= gzipSync(Buffer.concat([Buffer.from(JSON.stringify(freshPing())), padding]), { level: 1 })
  return bomb
}

/** Everything a client may do wrong that is quick to try. */
async function refusals({ open, post, get, request: send, version }: CheckContext): Promise<Exchange[]> {
  const session = await open()
  const unknown = { sessionId: 'never-issued-0123456789abcdef' }
  return [
    await session.post('{bad'),
    await session.post('[]'),
    await session.post(''),
    await session.post({ jsonrpc: '2.0' }),
    await session.post(freshPing(), { headers: { 'Content-Type': 'text/plain' } }),
    await session.post(freshPing(), { headers: { Accept: 'text/html' } }),
    await session.post(freshPing(), { headers: { 'MCP-Protocol-Version': 'garbage' } }),
    await session.get({ lastEventId: 'garbage' }),
    await session.send('PUT'),
    await post(freshPing()),
    await post(freshPing(), unknown),
    await get(unknown),
    await send('DELETE', unknown),
    await post(initialize(version), { headers: { Origin: 'http://evil.example.com' } }),
    await post(initialize(version), { headers: { Host: 'evil.example.com' } }),
  ]
}

/** O. Limits and abuse. */
export const limitRequirements = [
  requirement({
    id: 'limits/declared-large-body-is-413',
    rows: ['R220', 'T18'],
    level: 'SHOULD',
    spec: 'RFC 9110 §15.5.14',
    async check({ open, raw }) {
      const session = await open()
      const connection = await raw()
      connection.writeHead('POST', { ...plainHeaders(session), 'Content-Length': String(tooLarge) })
      connection.write(piece)
      expectEqual(await connection.status(3_000), 413, 'the status for a body that is declared as 20 MiB')
    },
  }),
  requirement({
    id: 'limits/chunked-large-body-is-413',
    rows: ['R221', 'T18'],
    level: 'SHOULD',
    spec: 'RFC 9110 §15.5.14',
    async check({ open }) {
      const session = await open()
      const sent = session.send('POST', { headers: plainHeaders(session), chunks: longBody(tooLarge) })
      // To cut the connection is the other way to refuse.
      const exchange = await sent.catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return undefined
        throw error
      })
      if (exchange !== undefined) expectStatus(exchange, 413, 'a chunked body of 20 MiB')
    },
  }),
  requirement({
    id: 'limits/one-mebibyte-is-accepted',
    rows: ['R222'],
    level: 'HARD',
    spec: 'RFC 9110 §15.5.14',
    needs: ['role:echo'],
    async check({ open }) {
      const text = 'x'.repeat(1_048_576)
      const message = toolCall('echo', { text })
      const exchange = await (await open()).post(message)
      expectAccepted(exchange, 'a call of 1 MiB')
      const echoed = textOf(await responseIn(exchange, message.id)) ?? ''
      const digest = (value: string) => createHash('sha256').update(value).digest('hex')
      expectEqual(digest(echoed), digest(text), 'the SHA-256 of the echoed text')
    },
  }),
  requirement({
    id: 'limits/session-survives-a-large-body',
    rows: ['R223'],
    level: 'HARD',
    spec: 'RFC 9110 §15.5.14',
    async check({ open }) {
      const session = await open()
      const sent = session.send('POST', { headers: plainHeaders(session), chunks: longBody(tooLarge) })
      await sent.catch(() => undefined)
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'limits/slow-body-blocks-nobody',
    rows: ['R224', 'T17'],
    level: 'HARD',
    spec: 'CWE-400',
    async check({ open, raw }) {
      const session = await open()
      const connections = await Promise.all(numbers(1, 20).map(() => raw()))
      for (const connection of connections) {
        connection.writeHead('POST', { ...plainHeaders(session), 'Content-Length': '1000' })
        connection.write('{')
      }
      await expectAlive(session)
      for (const connection of connections) connection.close()
      await delay(20)
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'limits/expect-continue-is-handled',
    rows: ['R226'],
    level: 'HARD',
    spec: 'RFC 9110 §10.1.1',
    async check({ open, raw }) {
      const session = await open()
      const connection = await raw()
      const body = JSON.stringify(freshPing())
      const declared = { 'Content-Length': String(Buffer.byteLength(body)), Expect: '100-continue' }
      connection.writeHead('POST', { ...plainHeaders(session), ...declared })
      const first = await connection.response()
      expectThat(first !== undefined, 'Expected 100 or a final status')
      if (first.status !== 100) return
      connection.write(body)
      expectEqual((await connection.response())?.status, 200, 'the status after 100')
    },
  }),
  requirement({
    id: 'limits/gzip-is-decoded-or-415',
    rows: ['R227'],
    level: 'HARD',
    spec: 'RFC 9110 §8.4',
    async check({ open }) {
      const session = await open()
      const message = freshPing()
      const options = { headers: { 'Content-Encoding': 'gzip' } }
      const exchange = await session.post(gzipSync(JSON.stringify(message)), options)
      if (exchange.ok) {
        const answer = await responseIn(exchange, message.id)
        expectThat(answer.result !== undefined, `Expected the ping to be answered, got ${JSON.stringify(answer)}`)
      } else {
        expectStatus(exchange, [400, 415], 'a compressed body')
      }
    },
  }),
  requirement({
    id: 'limits/gzip-bomb-is-refused',
    rows: ['R227', 'T18'],
    level: 'HARD',
    spec: 'CWE-409',
    async check({ open }) {
      const session = await open()
      const exchange = await session.post(gzipBomb(), { headers: { 'Content-Encoding': 'gzip' } })
      expectStatus(exchange, [400, 413, 415], 'a small body that inflates to 48 MiB')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'limits/pipelined-requests-keep-their-order',
    rows: ['R228'],
    level: 'HARD',
    spec: 'RFC 9112 §9.3.2',
    async check({ open, raw }) {
      const session = await open()
      const connection = await raw()
      for (const id of ['first', 'second', 'third']) {
        const body = JSON.stringify(request('ping', undefined, id))
        const accept = { Accept: 'application/json, text/event-stream;q=0.1' }
        connection.writeHead('POST', {
          ...plainHeaders(session),
          ...accept,
          'Content-Length': String(Buffer.byteLength(body)),
        })
        connection.write(body)
      }
      for (const id of ['first', 'second', 'third']) {
        const response = await connection.response()
        expectEqual(response?.status, 200, `the status of the ${id} of three pipelined requests`)
        expectThat(response?.body.includes(`"${id}"`) === true, `Expected the answer to ${id}, got ${response?.body}`)
      }
    },
  }),
  requirement({
    id: 'limits/client-errors-are-no-server-errors',
    rows: ['R233'],
    level: 'HARD',
    spec: 'RFC 9110 §15.6',
    async check(context) {
      for (const exchange of await refusals(context)) {
        expectThat(exchange.status < 500, `Expected no server error, got ${exchange.status} for ${exchange.what}`)
      }
    },
  }),
  requirement({
    id: 'limits/hostile-headers-are-cheap',
    rows: ['T38'],
    level: 'HARD',
    spec: 'CWE-1333',
    alone: true,
    async check({ open }) {
      const session = await open()
      const hostile = [
        { Accept: `application/json${';q=0.'.repeat(1_600)}` },
        { Accept: `application/json,${' '.repeat(8_000)}text/event-stream` },
        { Accept: ','.repeat(9_000) },
        { 'Content-Type': `application/json;${' '.repeat(8_000)}x` },
        { 'Content-Type': `application/json${'; a="'.repeat(1_600)}` },
        { Origin: `http://${'a.'.repeat(4_000)}` },
        { Host: `${'1.'.repeat(4_000)}` },
        { 'MCP-Protocol-Version': `${'2025-11-'.repeat(1_000)}` },
      ]
      for (const changes of hostile) {
        const startedAt = performance.now()
        const exchange = await session.post(freshPing(), { headers: changes })
        const after = Math.round(performance.now() - startedAt)
        const [name] = Object.keys(changes)
        expectThat(after < 500, `Expected a hostile ${name} header to be read at once, the answer took ${after} ms`)
        expectThat(exchange.status < 500, `Expected no server error for a hostile ${name}, got ${exchange.status}`)
      }
    },
  }),
  requirement({
    id: 'limits/errors-tell-nothing-of-the-inside',
    rows: ['R234', 'T29'],
    level: 'HARD',
    spec: 'CWE-209',
    async check(context) {
      for (const exchange of await refusals(context)) {
        const text = exchange.isEventStream ? '' : await exchange.text()
        const shown = /<!doctype|<html|\n\s+at |node_modules|file:\/\/|\/[a-z]+\/[^" ]+\.[cm]?[jt]s\b/i.exec(text)
        expectThat(shown === null, `Expected no stack, path or HTML in a refusal, got ${JSON.stringify(shown?.[0])}`)
      }
    },
  }),
  requirement({
    id: 'limits/answers-are-not-stored-by-caches',
    rows: ['T34'],
    level: 'HARD',
    spec: 'RFC 9111 §5.2.2.5',
    async check(context) {
      const session = await context.open()
      for (const exchange of [await session.post(freshPing()), ...(await refusals(context))]) {
        // A GET may be stored by default; for other methods a cache needs leave, which must not be given.
        const caching = exchange.header('cache-control') ?? ''
        expectThat(!/public|max-age=[1-9]/i.test(caching), `Expected no leave to store, got "${caching}"`)
        const stored = exchange.what.includes('GET') && exchange.status === 404 && !/no-store|no-cache/i.test(caching)
        expectThat(!stored, `Expected the 404 to a GET not to be stored, got Cache-Control "${caching}"`)
      }
    },
  }),
]
