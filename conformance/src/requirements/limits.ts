import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { badInputs, orCut, refusals } from '../client/bad-input.ts'
import { expectAccepted, expectEqual, expectStatus, expectThat, notTestable } from '../client/expect.ts'
import { request, textOf, toolCall } from '../client/json-rpc.ts'
import { expectAlive, freshPing, numbers } from '../client/probes.ts'
import { plainHeaders, responseIn, type Session } from '../client/session.ts'
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

/** What pages of frameworks, stack traces and paths of files look like. */
const insides = [
  /<!doctype|<html/i,
  /\n\s+at \S|node_modules|file:\/\/|Traceback \(most recent|goroutine \d|panic:/,
  /\/[a-z]+\/[^" ]+\.([cm]?[jt]s|py|go|rb|rs|php|java|kt|cs)\b/i,
]

/**
 * The quickest of up to three answers to a ping with these headers: what is slow by chance is not slow each time. A
 * server that cuts the connection because of them has answered, too.
 */
async function quickest(session: Session, headers: Record<string, string>): Promise<{ ms: number; status: number }> {
  let best = { ms: Number.POSITIVE_INFINITY, status: 0 }
  for (let round = 0; round < 3 && best.ms > 250; round++) {
    const startedAt = performance.now()
    const exchange = await orCut(session.post(freshPing(), { headers }))
    const ms = Math.round(performance.now() - startedAt)
    if (ms < best.ms) best = { ms, status: exchange?.status ?? 0 }
  }
  return best
}

/** So long a refusal that does not wait for the body may take. */
const earlyMs = 3_000

/** O. Limits and abuse. */
export const limitRequirements = [
  requirement({
    id: 'limits/declared-large-body-is-413',
    title: 'A body that is declared as 20 MiB is refused with 413, where it is refused before it is sent.',
    rows: ['R220', 'T18'],
    level: 'SHOULD',
    spec: 'RFC 9110 §15.5.14',
    because: 'Tool calls are far smaller; a server that waits for bodies of any size can be made to run out of memory.',
    async check({ open, raw, target }) {
      const session = await open()
      const connection = await raw()
      connection.writeHead('POST', { ...plainHeaders(session), 'Content-Length': String(tooLarge) })
      connection.write(piece)
      const status = await connection.status(earlyMs + target.roundTripMs)
      // The clause is about the content, which may be read first.
      if (status === undefined && !connection.closed) notTestable('the server reads the body before it answers')
      expectEqual(status, 413, 'the status for a body that is declared as 20 MiB')
    },
  }),
  requirement({
    id: 'limits/chunked-large-body-is-413',
    title: 'A chunked body that goes on for 20 MiB is refused with 413, or cut off.',
    rows: ['R221', 'T18'],
    level: 'SHOULD',
    spec: 'RFC 9110 §15.5.14',
    because: 'Without Content-Length the size shows only on the way, and a server without a limit there has none.',
    abuse: true,
    async check({ open }) {
      const session = await open()
      const sent = session.send('POST', { headers: plainHeaders(session), chunks: longBody(tooLarge) })
      const exchange = await orCut(sent)
      if (exchange !== undefined) expectStatus(exchange, 413, 'a chunked body of 20 MiB')
    },
  }),
  requirement({
    id: 'limits/one-mebibyte-is-accepted',
    title: 'A tool call with an argument of 1 MiB is answered.',
    rows: ['R222'],
    level: 'HARD',
    spec: 'RFC 9110 §15.5.14',
    because:
      'Real arguments are files and pages of that size; 413 is for what is larger than the server can be expected to take.',
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
    title: 'After a body of 20 MiB was refused, the session goes on.',
    rows: ['R223'],
    level: 'HARD',
    spec: 'RFC 9110 §15.5.14',
    because: 'The refusal is of that one request and says nothing about the session.',
    abuse: true,
    async check({ open }) {
      const session = await open()
      const sent = session.send('POST', { headers: plainHeaders(session), chunks: longBody(tooLarge) })
      await sent.catch(() => undefined)
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'limits/slow-body-blocks-nobody',
    title: 'Twenty requests whose bodies do not come keep no other request from being answered.',
    rows: ['R224', 'T17'],
    level: 'HARD',
    spec: 'CWE-400',
    because: 'Whoever holds connections open at no cost must not be able to use up what others need (slowloris).',
    abuse: true,
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
    id: 'limits/slow-body-is-answered-or-cut',
    title:
      'Bodies that come byte by byte are cut off or answered in the end, and other requests are answered meanwhile.',
    rows: ['R224', 'T17'],
    level: 'HARD',
    spec: 'CWE-400',
    because:
      'A slow sender costs a server little as long as it has a limit or waits without blocking; it is no error of the server.',
    abuse: true,
    slow: true,
    async check({ open, raw }) {
      const session = await open()
      const body = Buffer.from(JSON.stringify(freshPing()))
      const connections = await Promise.all(numbers(1, 20).map(() => raw()))
      for (const connection of connections) {
        connection.writeHead('POST', { ...plainHeaders(session), 'Content-Length': String(body.length) })
      }
      const dripped = 12
      for (let sent = 0; sent < dripped; sent++) {
        for (const connection of connections) if (!connection.closed) connection.write(body.subarray(sent, sent + 1))
        await delay(1_000)
        await expectAlive(session)
      }
      for (const connection of connections) {
        if (!connection.closed) connection.write(body.subarray(dripped))
        const status = await connection.status()
        const isFine = status === undefined ? connection.closed : status < 500
        expectThat(isFine, `Expected a slow body to be answered or cut off, got ${status ?? 'neither'}`)
      }
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'limits/slow-header-is-cut',
    title: 'A request head that comes byte by byte for 100 seconds is cut off, or refused with a 4xx status.',
    rows: ['R225', 'T17'],
    level: 'HARD',
    spec: 'CWE-400',
    because:
      'Before its head is complete, a request cannot be told from an attack, so that there has to be a limit; 408 is for it.',
    abuse: true,
    slow: true,
    async check({ open, raw, url }) {
      const session = await open()
      const connection = await raw()
      connection.write(`POST ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nX-Slow: `)
      const deadline = performance.now() + 100_000
      let status: number | undefined
      while (!connection.closed && status === undefined && performance.now() < deadline) {
        connection.write('a')
        status = await connection.status(1_000)
      }
      const isCut = status === undefined ? connection.closed : status >= 400 && status < 500
      expectThat(isCut, `Expected a slow request head to be cut off, got ${status ?? 'neither an answer nor an end'}`)
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'limits/expect-continue-is-handled',
    title: 'A request with Expect: 100-continue is answered 100 and then in full, or at once with a final status.',
    rows: ['R226'],
    level: 'HARD',
    spec: 'RFC 9110 §10.1.1',
    async check({ open, raw }) {
      const session = await open()
      const connection = await raw()
      const body = JSON.stringify(freshPing())
      const declared = { 'Content-Length': String(Buffer.byteLength(body)), Expect: '100-continue' }
      connection.writeHead('POST', { ...plainHeaders(session), ...declared })
      const first = await connection.status()
      expectThat(first !== undefined, 'Expected 100 or a final status')
      expectThat(first < 500, `Expected no server error for Expect: 100-continue, got status ${first}`)
      if (first !== 100) return
      await connection.response()
      connection.write(body)
      expectEqual(await connection.status(), 200, 'the status after 100')
    },
  }),
  requirement({
    id: 'limits/gzip-is-decoded-or-415',
    title: 'A gzip body is decoded, or refused with 415 or 400.',
    rows: ['R227'],
    level: 'HARD',
    spec: 'RFC 9110 §8.4',
    because:
      'A server that does not know the coding answers 415 by that clause, and one that knows it takes the message.',
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
    title: 'A small gzip body that inflates to 48 MiB is refused with 413, 415 or 400.',
    rows: ['R227', 'T18'],
    level: 'HARD',
    spec: 'CWE-409',
    because: 'A limit that counts the bytes before they are inflated is no limit.',
    abuse: true,
    async check({ open }) {
      const session = await open()
      const exchange = await orCut(session.post(gzipBomb(), { headers: { 'Content-Encoding': 'gzip' } }))
      if (exchange !== undefined) expectStatus(exchange, [400, 413, 415], 'a small body that inflates to 48 MiB')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'limits/pipelined-requests-keep-their-order',
    title: 'Requests that come on one connection without waiting are answered one after the other, in order.',
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
      let isClosing = false
      for (const id of ['first', 'second', 'third']) {
        const response = await connection.response()
        // A server may close after any answer: the client sends the rest again.
        if (response === undefined && isClosing && connection.closed) return
        // What the first of them left open, should end and need not, nothing can follow.
        const isStream = /^content-type: *text\/event-stream/im.test(connection.received.toString('latin1'))
        if (response === undefined && isStream) notTestable('the answer is a stream that the server leaves open')
        isClosing = /close/i.test(response?.headers.get('connection') ?? '')
        expectEqual(response?.status, 200, `the status of the ${id} of three pipelined requests`)
        expectThat(response?.body.includes(`"${id}"`) === true, `Expected the answer to ${id}, got ${response?.body}`)
      }
    },
  }),
  requirement({
    id: 'limits/client-errors-are-no-server-errors',
    title: 'Whatever a client gets wrong is answered with a status below 500.',
    rows: ['R233'],
    level: 'HARD',
    spec: 'RFC 9110 §15.6',
    because:
      '5xx is for errors of the server: it makes clients repeat what can never work, and alarms whoever runs it.',
    async check(context) {
      for (const { what, exchange } of await badInputs(context)) {
        expectThat(exchange.status < 500, `Expected no server error for ${what}, got status ${exchange.status}`)
      }
      await expectAlive(await context.open())
    },
  }),
  requirement({
    id: 'limits/hostile-headers-are-cheap',
    title: 'Long header values made to be hard to parse are read as fast as others.',
    rows: ['T38'],
    level: 'HARD',
    spec: 'CWE-1333',
    because:
      'Accept, Content-Type, Origin, Host and version are read before anything is authenticated; what takes long to match holds up everybody.',
    alone: true,
    abuse: true,
    async check({ open, target }) {
      const session = await open()
      const hostile: Record<string, string>[] = [
        { Accept: `application/json${';q=0.'.repeat(1_600)}` },
        { Accept: `application/json,${' '.repeat(8_000)}text/event-stream` },
        { Accept: ','.repeat(9_000) },
        { 'Content-Type': `application/json;${' '.repeat(8_000)}x` },
        { 'Content-Type': `application/json${'; a="'.repeat(1_600)}` },
        { Origin: `http://${'a.'.repeat(4_000)}` },
        { 'MCP-Protocol-Version': `${'2025-11-'.repeat(1_000)}` },
      ]
      // Elsewhere the Host decides which server it is that answers.
      if (target.offers.has('localhost')) hostile.push({ Host: `${'1.'.repeat(4_000)}` })
      const harmless = await quickest(session, { 'X-Harmless': 'a'.repeat(8_000) })
      for (const headers of hostile) {
        const [name] = Object.keys(headers)
        const { ms, status } = await quickest(session, headers)
        expectThat(
          ms < harmless.ms + 500,
          `Expected a hostile ${name} header to be read at once, the answer took ${ms} ms`,
        )
        expectThat(status < 500, `Expected no server error for a hostile ${name}, got ${status}`)
      }
    },
  }),
  requirement({
    id: 'limits/errors-tell-nothing-of-the-inside',
    title: 'Refusals show no stack, no file path and no HTML page of a framework.',
    rows: ['R234', 'T29'],
    level: 'HARD',
    spec: 'CWE-209',
    async check(context) {
      for (const { what, exchange } of await refusals(context)) {
        const text = exchange.isEventStream ? '' : await exchange.text()
        const shown = insides.map((inside) => inside.exec(text)?.[0]).find((found) => found !== undefined)
        expectThat(
          shown === undefined,
          `Expected no stack, path or HTML in the refusal of ${what}, got ${JSON.stringify(shown)}`,
        )
      }
    },
  }),
  requirement({
    id: 'limits/answers-are-not-stored-by-caches',
    title: 'Neither answers nor refusals give a cache leave to store them.',
    rows: ['T34'],
    level: 'HARD',
    spec: 'RFC 9111 §5.2.2.5',
    because:
      'Answers are for one client; the same URL stands for all of them, so that a shared cache would mix them up.',
    async check(context) {
      const session = await context.open()
      const refused = (await refusals(context)).map(({ exchange }) => exchange)
      for (const exchange of [await session.post(freshPing()), ...refused]) {
        // A GET may be stored by default; for other methods a cache needs leave, which must not be given.
        const caching = exchange.header('cache-control') ?? ''
        expectThat(!/public|max-age=[1-9]/i.test(caching), `Expected no leave to store, got "${caching}"`)
        const stored = exchange.what.includes('GET') && exchange.status === 404 && !/no-store|no-cache/i.test(caching)
        expectThat(!stored, `Expected the 404 to a GET not to be stored, got Cache-Control "${caching}"`)
      }
    },
  }),
]
