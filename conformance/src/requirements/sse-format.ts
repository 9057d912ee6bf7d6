import type { CheckContext } from '../client/context.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectEqual, expectThat, fail, notTestable } from '../client/expect.ts'
import { Http2Connection } from '../client/http2-connection.ts'
import { isObject, request, textOf, toolCall } from '../client/json-rpc.ts'
import { progressCall } from '../client/probes.ts'
import { Call, plainHeaders, responseIn, type Session } from '../client/session.ts'
import type { SseBlock } from '../client/sse-parser.ts'
import { finished, streamsOf } from '../client/streams.ts'
import type { Target } from '../client/target.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const parsing = 'WHATWG HTML §9.2.5'
const interpreting = 'WHATWG HTML §9.2.6'
/** All lines of all streams that are no comments. */
async function fieldsOf(context: CheckContext): Promise<SseBlock['fields']> {
  const exchanges = await streamsOf(context)
  return exchanges.flatMap(({ stream }) => stream.blocks).flatMap((block) => block.fields)
}

/** Of many scripts, with characters of two, three and four bytes. */
const manyScripts = 'façade ψυχοφθόρα Съешь דג नस्ते ไทย 我 漢 いろは 다람쥐 😀 👩‍👩‍👧‍👦 \u2028 \u2029'

/** A call that is answered with a text in many scripts, as a stream where the server can. */
async function scriptsCall(session: Session, target: Target): Promise<{ call: Call; sent: string | undefined }> {
  const canEcho = target.roles.has('echo')
  if (!canEcho && !target.roles.has('unicode')) notTestable('needs a tool that returns its argument (--tool echo=NAME)')
  const message = canEcho ? toolCall('echo', { text: manyScripts }) : toolCall('unicode')
  const exchange = await session.post(message, { headers: { Accept: 'text/event-stream' } })
  const call = new Call(exchange.ok ? exchange : await session.post(message), message.id ?? '')
  if (!call.exchange.isEventStream) notTestable('the call is answered with JSON')
  return { call, sent: canEcho ? manyScripts : undefined }
}

/** N. SSE wire format. */
export const sseFormatRequirements = [
  requirement({
    id: 'sse/content-type-is-event-stream-in-utf8',
    title: 'Event streams have the type text/event-stream, with the charset utf-8 or without one.',
    rows: ['R205'],
    level: 'MUST',
    spec: parsing,
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
    title: 'Event streams are valid UTF-8, and characters of several bytes stay whole.',
    rows: ['R206'],
    level: 'MUST',
    spec: parsing,
    async check({ open, target }) {
      const { call, sent } = await scriptsCall(await open(), target)
      const text = textOf(await call.response()) ?? fail('Expected a text')
      const { stream } = await finished(call.exchange)
      expectThat(
        stream.blocks.every((block) => block.validUtf8),
        'Expected valid UTF-8 on the stream',
      )
      expectThat(!text.includes('\ufffd'), 'Expected no replacement characters in the text')
      if (sent !== undefined) expectThat(text.includes(sent), `Expected the text to come back whole, got ${text}`)
    },
  }),
  requirement({
    id: 'sse/last-event-ends-with-a-blank-line',
    title: 'The last event of a stream that ends is followed by a blank line.',
    rows: ['R207'],
    level: 'dMUST',
    spec: interpreting,
    because: 'A client throws away what stands after the last blank line, so that an event without one is lost.',
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
    title: 'Data has no raw line ends in it: every line of a stream is a comment or a known field.',
    rows: ['R208'],
    level: 'dMUST',
    spec: interpreting,
    because:
      'A line end inside of a data line ends the field: what follows is read as a field of another name, and lost.',
    async check(context) {
      for (const { name, value } of await fieldsOf(context)) {
        // One requirement is about byte order marks.
        const known = ['data', 'event', 'id', 'retry'].includes(name) || name.startsWith('\ufeff')
        expectThat(known, `Expected only known fields, got the line ${JSON.stringify(`${name}: ${value}`)}`)
      }
    },
  }),
  requirement({
    id: 'sse/text-cannot-forge-events',
    title: 'A text with line ends and fields in it comes back whole, and makes no events of its own.',
    rows: ['T23'],
    level: 'dMUST',
    spec: interpreting,
    because:
      'What stands in data is written as data lines only; any other line would be read as fields that nobody sent.',
    needs: ['role:echo'],
    async check({ open, target }) {
      const session = await open()
      const ends = ['\n', '\r', '\r\n', '\u2028', '\u2029', '\u0085', '\u0000', '\v', '\f']
      const attack = ends
        .map((end) => `${end}${end}event: forged${end}id: forged${end}data: {"forged":1}${end}${end}`)
        .join('')
      const message = toolCall('echo', { text: attack })
      const exchange = await session.post(message, { headers: { Accept: 'text/event-stream' } })
      const call = exchange.isEventStream ? exchange : await session.post(message)
      const text = textOf(await responseIn(call, message.id))
      // Some tools give what they return as JSON.
      const isWhole = text?.includes(attack) === true || text?.includes(JSON.stringify(attack).slice(1, -1)) === true
      expectThat(isWhole, `Expected the text to come back whole, got ${JSON.stringify(text)}`)
      const answers = [call]
      if (target.offers.has('sse')) {
        // Shorter: a server may bound the length of ids.
        const inName = ends.map((end) => `${end}id: forged${end}${end}`).join('')
        const running = await progressCall(session, { id: `i${inName}`, progressToken: `t${inName}` })
        await running.response()
        answers.push(running.exchange)
      }
      if (!answers.some(({ isEventStream }) => isEventStream)) notTestable('calls are answered with JSON')
      for (const { stream } of answers) {
        const forged = stream.blocks.filter((block) => block.id === 'forged' || block.event === 'forged')
        expectEqual(forged.length, 0, 'the number of events that a text forged')
      }
    },
  }),
  requirement({
    id: 'sse/data-is-one-json-rpc-message',
    title: 'The data of each event is one JSON-RPC message, or empty.',
    rows: ['R209', 'R215'],
    level: 'MUST',
    spec: '2025-11-25/basic/transports#sending-messages-to-the-server',
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
    title: 'Event ids have no U+0000 in them.',
    rows: ['R210'],
    level: 'dMUST',
    spec: interpreting,
    because: 'Clients ignore an id with U+0000, and cannot resume from that event.',
    async check(context) {
      const ids = (await fieldsOf(context)).filter(({ name }) => name === 'id')
      if (ids.length === 0) notTestable('no event has an id')
      for (const { value } of ids) {
        expectThat(!value.includes('\0'), `Expected an id without U+0000, got ${JSON.stringify(value)}`)
      }
    },
  }),
  requirement({
    id: 'sse/retry-is-digits',
    title: 'A retry field is of ASCII digits only.',
    rows: ['R211'],
    level: 'dMUST',
    spec: interpreting,
    because: 'Clients ignore a retry field of anything else.',
    async check(context) {
      const retries = (await fieldsOf(context)).filter(({ name }) => name === 'retry')
      if (retries.length === 0) notTestable('no stream has a retry field')
      for (const { value } of retries) {
        expectThat(/^[0-9]+$/.test(value), `Expected retry to be digits, got ${JSON.stringify(value)}`)
      }
    },
  }),
  requirement({
    id: 'sse/event-type-is-message',
    title: 'Events that carry a message have the type message, or none.',
    rows: ['R212'],
    level: 'SHOULD',
    spec: interpreting,
    because: 'Clients dispatch an event of another type to listeners for that type, of which MCP names none.',
    async check(context) {
      for (const exchange of await streamsOf(context)) {
        for (const { event } of exchange.stream.events.filter(({ data }) => data !== '')) {
          const delivered = event === undefined || event === '' || event === 'message'
          expectThat(delivered, `Expected the event type message, got ${JSON.stringify(event)}`)
        }
      }
    },
  }),
  requirement({
    id: 'sse/no-byte-order-mark-inside',
    title: 'No line of a stream but the first begins with a byte order mark.',
    rows: ['R213'],
    level: 'HARD',
    spec: parsing,
    because:
      'Only one at the very start is taken off; a later one becomes part of the name of a field, which is then unknown.',
    async check(context) {
      for (const exchange of await streamsOf(context)) {
        // The very first mark is taken off before lines are read.
        const lines = exchange.stream.blocks.flatMap((block) => block.fields.map(({ name }) => name))
        const marked = lines.find((name) => name.startsWith('\ufeff'))
        expectEqual(marked, undefined, 'the first line after the start that begins with a byte order mark')
      }
    },
  }),
  requirement({
    id: 'sse/comments-stand-alone',
    title: 'Comments leave the data of events whole, and nothing but comments is left open between events.',
    rows: ['R214'],
    level: 'dMUST',
    spec: interpreting,
    because:
      'A line that begins with a colon is ignored wherever it stands; any other line belongs to the event that is being sent.',
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
    title: 'The first event with an id has a data line, which may be empty.',
    rows: ['R216'],
    level: 'MUST',
    spec: '2025-11-25/basic/transports#sending-messages-to-the-server',
    since: '2025-11-25',
    async check(context) {
      let withId = 0
      for (const exchange of await streamsOf(context)) {
        const first = exchange.stream.blocks.find((block) => block.id !== undefined)
        if (first === undefined) continue
        withId += 1
        const { data, fields } = first
        expectThat(
          data !== undefined,
          `Expected the first block with an id to have a data line, got ${JSON.stringify(fields)}`,
        )
      }
      if (withId === 0) notTestable('no event has an id')
    },
  }),
  requirement({
    id: 'sse/is-neither-cached-nor-buffered',
    title: 'Event streams forbid caches to keep them.',
    rows: ['R218', 'T34'],
    level: 'SHOULD',
    spec: 'RFC 9111 §5.2.2',
    because: 'A stream that a cache has kept reaches the wrong client.',
    async check(context) {
      for (const exchange of await streamsOf(context)) {
        const caching = exchange.header('cache-control') ?? ''
        expectThat(/no-cache|no-store/i.test(caching), `Expected Cache-Control to forbid caching, got "${caching}"`)
      }
    },
  }),
  requirement({
    id: 'sse/asks-proxies-not-to-buffer',
    title: 'Event streams ask proxies not to buffer them, and have no Content-Length.',
    rows: ['R218'],
    level: 'HARD',
    spec: 'RFC 9110 §7.6',
    because:
      'nginx, the most common proxy, holds events back unless X-Accel-Buffering says no; and a length is known only of a stream that was buffered.',
    async check(context) {
      for (const exchange of await streamsOf(context)) {
        expectEqual(exchange.header('x-accel-buffering'), 'no', 'X-Accel-Buffering')
        expectEqual(exchange.header('content-length'), undefined, 'the Content-Length of an event stream')
      }
    },
  }),
  requirement({
    id: 'sse/compression-does-not-buffer',
    title: 'To a client that takes compression, the events of a running call come before its end.',
    rows: ['R218'],
    level: 'SHOULD',
    spec: 'RFC 9110 §8.4',
    because: 'Compression is of the connection: it must not hold back what the stream exists to send early.',
    needs: ['sse', 'role:burst'],
    async check({ open }) {
      const session = await open()
      const headers = { 'Accept-Encoding': 'gzip, deflate, br' }
      const call = await session.call('burst', { count: 60, delayMs: 50 }, { progressToken: 'p', headers })
      const { stream } = call.exchange
      expectThat(await stream.firstByte(), 'Expected bytes on a compressed stream')
      // The call takes three seconds: what was held back comes all at once, with the end.
      const isOver = await stream.endsWithin(500)
      expectThat(!isOver, 'Expected bytes of a compressed stream before the call was over')
    },
  }),
  requirement({
    id: 'sse/idle-streams-are-kept-alive',
    title: 'On streams without events, of GET and of a long call, something comes every 30 seconds or more often.',
    rows: ['R217'],
    level: 'SHOULD',
    spec: 'WHATWG HTML §9.2.7',
    because: 'The clause advises a comment every 15 seconds or so, as proxies drop connections on which nothing comes.',
    slow: true,
    async check({ open, target }) {
      const session = await open()
      const idle: Exchange[] = []
      if (target.offers.has('get-stream')) idle.push(await session.listen())
      if (target.offers.has('sse') && target.roles.has('slow')) {
        // A server may answer this one with JSON, in the end.
        const call = await session.post(toolCall('slow', { ms: idleMs + 10_000 })).catch(() => undefined)
        if (call?.isEventStream) idle.push(call)
      }
      if (idle.length === 0) notTestable('needs a server that opens a stream on GET, or for a long call')
      // What a stream opens with does not count.
      await delay(1_000)
      const outcomes = idle.map(async ({ stream, what }) => {
        const came = await stream.moreChunks(idleMs)
        expectThat(came || stream.ended, `Expected something on the idle stream of ${what} within ${idleMs / 1_000} s`)
      })
      await Promise.all(outcomes)
    },
  }),
  requirement({
    id: 'http2/has-no-connection-headers',
    title: 'Over HTTP/2, answers have none of the header fields that are for connections of HTTP/1.1.',
    rows: ['R219'],
    level: 'HARD',
    spec: 'RFC 9113 §8.2.2',
    async check({ open, target, url }) {
      const session = await open()
      const http2 = await Http2Connection.open(url)
      if (http2 === undefined) notTestable('needs a server that speaks HTTP/2')
      const headers = plainHeaders(session)
      try {
        // A head with such a field is malformed: the client's own HTTP/2 refuses it.
        const answer = await http2.head('POST', headers, JSON.stringify(request('tools/list')))
        expectEqual(answer[':status'], 200, 'the status of an answer over HTTP/2')
        if (target.offers.has('get-stream')) await http2.head('GET', { ...headers, Accept: 'text/event-stream' })
      } finally {
        http2.close()
      }
    },
  }),
]

/** Twice what the clause advises, and some. */
const idleMs = 35_000

function parsed(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    // Not JSON: the caller says so.
    return undefined
  }
}
