import type { CheckContext } from '../client/context.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectEqual, expectThat, fail, notTestable } from '../client/expect.ts'
import { isObject, textOf, toolCall } from '../client/json-rpc.ts'
import { awaitLog, burst } from '../client/probes.ts'
import { Call, responseIn, type Session } from '../client/session.ts'
import { requirement } from '../requirement.ts'

const parsing = 'WHATWG HTML §9.2.5'
const interpreting = 'WHATWG HTML §9.2.6'
const streams = ['sse', 'role:burst'] as const

/** Streams of every kind that the server offers: of calls, finished, and the standalone one, open. */
async function streamsOf({ open, target }: CheckContext): Promise<Exchange[]> {
  const session = await open()
  const made: Exchange[] = []
  if (target.offers.has('get-stream')) {
    const listening = await session.listen()
    made.push(listening)
    if (target.roles.has('push')) {
      await session.text('push', { count: 2, text: 'p' })
      await awaitLog(listening, 'p:2')
    }
  }
  const call = await burst(session, { count: 3 })
  await call.response()
  await call.exchange.stream.endsWithin(1_000)
  made.push(call.exchange)
  const firstId = call.exchange.stream.events[0]?.id
  if (target.offers.has('resumption') && firstId !== undefined) {
    const resumed = await session.get({ lastEventId: firstId })
    await resumed.stream.endsWithin(1_000)
    if (resumed.isEventStream) made.push(resumed)
  }
  return made
}

/** Calls the tool `unicode`, as a stream where the server can. */
async function unicodeCall(session: Session): Promise<Call> {
  const message = toolCall('unicode')
  const exchange = await session.post(message, { headers: { Accept: 'text/event-stream' } })
  const call = new Call(exchange.ok ? exchange : await session.post(message), message.id ?? '')
  if (!call.exchange.isEventStream) notTestable('the call is answered with JSON')
  return call
}

/** N. SSE wire format. */
export const sseFormatRequirements = [
  requirement({
    id: 'sse/content-type-is-event-stream-in-utf8',
    rows: ['R205'],
    level: 'MUST',
    spec: parsing,
    needs: streams,
    async check(context) {
      for (const exchange of await streamsOf(context)) {
        const type = exchange.header('content-type') ?? ''
        const valid = /^text\/event-stream\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?;?$/i.test(type)
        expectThat(valid, `Expected text/event-stream, with the charset utf-8 or none, got "${type}"`)
      }
    },
  }),
  requirement({
    id: 'sse/bytes-are-utf8',
    rows: ['R206'],
    level: 'MUST',
    spec: parsing,
    needs: ['sse', 'role:unicode'],
    async check({ open }) {
      const call = await unicodeCall(await open())
      const text = textOf(await call.response()) ?? fail('Expected a text')
      await call.exchange.stream.endsWithin(1_000)
      expectThat(
        call.exchange.stream.blocks.every((block) => block.validUtf8),
        'Expected valid UTF-8 on the stream',
      )
      expectThat(!text.includes('\ufffd'), 'Expected no replacement characters in the text')
      for (const part of ['façade', 'ψυχ', '漢', '我', '😀', '👩‍👩‍👧‍👦', '\u2028', '\u0000']) {
        const known = part === '漢' || text.includes(part)
        expectThat(known, `Expected the text to contain ${JSON.stringify(part)}`)
      }
    },
  }),
  requirement({
    id: 'sse/last-event-ends-with-a-blank-line',
    rows: ['R207'],
    level: 'MUST',
    spec: interpreting,
    needs: streams,
    async check(context) {
      for (const exchange of await streamsOf(context)) {
        if (!exchange.ended) continue
        const left = Buffer.from(exchange.stream.remainder).toString('utf8')
        // Comments need no blank line; a field without one is thrown away.
        const cut = left.split(/\r\n|\r|\n/).some((line) => line !== '' && !line.startsWith(':'))
        expectThat(!cut, `Expected the stream to end with a blank line, got ${JSON.stringify(left)} after the last one`)
      }
    },
  }),
  requirement({
    id: 'sse/no-raw-line-ends-in-data',
    rows: ['R208'],
    level: 'MUST',
    spec: interpreting,
    needs: ['sse', 'role:unicode'],
    async check(context) {
      const call = await unicodeCall(await context.open())
      await call.response()
      await call.exchange.stream.endsWithin(1_000)
      for (const exchange of [call.exchange, ...(await streamsOf(context))]) {
        for (const { name, value } of exchange.stream.blocks.flatMap((block) => block.fields)) {
          const known = ['data', 'event', 'id', 'retry'].includes(name)
          expectThat(known, `Expected only known fields, got the line ${JSON.stringify(`${name}: ${value}`)}`)
        }
      }
    },
  }),
  requirement({
    id: 'sse/text-cannot-forge-events',
    rows: ['T23'],
    level: 'MUST',
    spec: interpreting,
    needs: ['sse', 'role:echo', 'role:burst'],
    async check({ open }) {
      const session = await open()
      const ends = ['\n', '\r', '\r\n', '\u2028', '\u2029', '\u0085', '\u0000', '\v', '\f']
      const attack = ends
        .map((end) => `${end}${end}event: forged${end}id: forged${end}data: {"forged":1}${end}${end}`)
        .join('')
      const message = toolCall('echo', { text: attack })
      const exchange = await session.post(message, { headers: { Accept: 'text/event-stream' } })
      const call = exchange.isEventStream ? exchange : await session.post(message)
      expectEqual(textOf(await responseIn(call, message.id)), attack, 'the text that came back')
      const running = await burst(session, { count: 2 }, { id: `i${attack}`, progressToken: `t${attack}` })
      await running.response()
      for (const { stream } of [call, running.exchange]) {
        const forged = stream.blocks.filter((block) => block.id === 'forged' || block.event === 'forged')
        expectEqual(forged.length, 0, 'the number of events that a text forged')
      }
    },
  }),
  requirement({
    id: 'sse/data-is-one-json-rpc-message',
    rows: ['R209', 'R215'],
    level: 'MUST',
    spec: '2025-11-25/basic/transports#sending-messages-to-the-server',
    needs: streams,
    async check(context) {
      for (const exchange of await streamsOf(context)) {
        for (const { data } of exchange.stream.events) {
          if (data === '') continue
          const message = parsed(data)
          const single = isObject(message) || (context.version === '2025-03-26' && Array.isArray(message))
          expectThat(single, `Expected one JSON-RPC message, got ${JSON.stringify(data)}`)
          if (isObject(message)) expectEqual(message.jsonrpc, '2.0', 'the jsonrpc member of a message on a stream')
        }
      }
    },
  }),
  requirement({
    id: 'sse/id-has-no-nul',
    rows: ['R210'],
    level: 'MUST',
    spec: interpreting,
    needs: [...streams, 'resumption'],
    async check(context) {
      for (const exchange of await streamsOf(context)) {
        for (const { name, value } of exchange.stream.blocks.flatMap((block) => block.fields)) {
          expectThat(
            name !== 'id' || !value.includes('\0'),
            `Expected an id without U+0000, got ${JSON.stringify(value)}`,
          )
        }
      }
    },
  }),
  requirement({
    id: 'sse/retry-is-digits',
    rows: ['R211'],
    level: 'MUST',
    spec: interpreting,
    needs: streams,
    async check(context) {
      for (const exchange of await streamsOf(context)) {
        for (const { name, value } of exchange.stream.blocks.flatMap((block) => block.fields)) {
          expectThat(
            name !== 'retry' || /^[0-9]+$/.test(value),
            `Expected retry to be digits, got ${JSON.stringify(value)}`,
          )
        }
      }
    },
  }),
  requirement({
    id: 'sse/event-type-is-message',
    rows: ['R212'],
    level: 'SHOULD',
    spec: interpreting,
    needs: streams,
    async check(context) {
      for (const exchange of await streamsOf(context)) {
        for (const { event } of exchange.stream.events) {
          const delivered = event === undefined || event === '' || event === 'message'
          expectThat(delivered, `Expected the event type message, got ${JSON.stringify(event)}`)
        }
      }
    },
  }),
  requirement({
    id: 'sse/no-byte-order-mark-inside',
    rows: ['R213'],
    level: 'HARD',
    spec: parsing,
    needs: streams,
    async check(context) {
      for (const exchange of await streamsOf(context)) {
        const later = exchange.stream.raw.indexOf(Buffer.from([0xef, 0xbb, 0xbf]), 1)
        expectEqual(later, -1, 'the place of a byte order mark after the start')
      }
    },
  }),
  requirement({
    id: 'sse/comments-stand-alone',
    rows: ['R214'],
    level: 'MUST',
    spec: interpreting,
    needs: streams,
    async check(context) {
      for (const exchange of await streamsOf(context)) {
        for (const block of exchange.stream.blocks) {
          if (block.comments.length === 0 || block.data === undefined || block.data === '') continue
          expectThat(
            parsed(block.data) !== undefined,
            `Expected a comment to leave data whole, got ${JSON.stringify(block.data)}`,
          )
        }
        const left = Buffer.from(exchange.stream.remainder).toString('utf8')
        expectThat(
          exchange.ended || /^(:[^\r\n]*(\r\n|\r|\n)?)*$/.test(left),
          `Expected whole blocks, got ${JSON.stringify(left)}`,
        )
      }
    },
  }),
  requirement({
    id: 'sse/priming-event-has-a-data-line',
    rows: ['R216'],
    level: 'MUST',
    spec: '2025-11-25/basic/transports#sending-messages-to-the-server',
    since: '2025-11-25',
    needs: [...streams, 'resumption'],
    async check(context) {
      for (const exchange of await streamsOf(context)) {
        const first = exchange.stream.blocks.find((block) => block.id !== undefined)
        expectThat(
          first?.data !== undefined,
          `Expected the first block with an id to have a data line, got ${JSON.stringify(first?.fields)}`,
        )
      }
    },
  }),
  requirement({
    id: 'sse/is-neither-cached-nor-buffered',
    rows: ['R218', 'T34'],
    level: 'SHOULD',
    spec: 'RFC 9111 §5.2.2',
    needs: streams,
    async check(context) {
      for (const exchange of await streamsOf(context)) {
        const caching = exchange.header('cache-control') ?? ''
        expectThat(/no-cache|no-store/i.test(caching), `Expected Cache-Control to forbid caching, got "${caching}"`)
        expectEqual(exchange.header('x-accel-buffering'), 'no', 'X-Accel-Buffering')
        expectEqual(exchange.header('content-length'), undefined, 'the Content-Length of an event stream')
      }
    },
  }),
  requirement({
    id: 'sse/compression-does-not-buffer',
    rows: ['R218'],
    level: 'SHOULD',
    spec: 'RFC 9110 §8.4',
    needs: streams,
    async check({ open }) {
      const session = await open()
      const headers = { 'Accept-Encoding': 'gzip, deflate, br' }
      const call = await session.call('burst', { count: 60, delayMs: 50 }, { progressToken: 'p', headers })
      const came = await call.exchange.stream.firstByte(2_000)
      expectThat(came, 'Expected bytes of a compressed stream before the call was over')
    },
  }),
]

function parsed(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    // Not JSON: the caller says so.
    return undefined
  }
}
