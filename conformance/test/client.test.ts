import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { EventReader } from '../src/client/event-reader.ts'
import { HttpClient } from '../src/client/http.ts'
import { problemOf } from '../src/client/message-grammar.ts'
import { RawConnection } from '../src/client/raw-connection.ts'
import { type SseBlock, SseParser } from '../src/client/sse-parser.ts'
import { Transcript } from '../src/client/transcript.ts'

function parse(...chunks: (string | Uint8Array)[]): { blocks: SseBlock[]; remainder: string } {
  const blocks: SseBlock[] = []
  const parser = new SseParser((block) => blocks.push(block))
  for (const chunk of chunks) parser.push(Buffer.from(chunk))
  return { blocks, remainder: Buffer.from(parser.remainder).toString() }
}

/** A generator of numbers below `limit`, the same for the same seed. */
function randomFrom(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state % limit
  }
}

describe('the SSE parser', () => {
  for (const [name, end] of [
    ['LF', '\n'],
    ['CR', '\r'],
    ['CRLF', '\r\n'],
  ] as const) {
    test(`ends lines at ${name}`, () => {
      const { blocks, remainder } = parse(`id: 1${end}data: a${end}${end}data: b${end}${end}`)
      expect(blocks.map(({ id, data, lastEventId }) => [id, data, lastEventId])).toEqual([
        ['1', 'a', '1'],
        [undefined, 'b', '1'],
      ])
      expect(remainder).toBe('')
    })
  }

  test('takes CR and LF in different chunks for one line end', () => {
    expect(parse('data: a\r', '\n\r', '\ndata: b\r\n\r', '\n').blocks.map(({ data }) => data)).toEqual(['a', 'b'])
  })

  test('keeps characters whole whose bytes come one by one', () => {
    const bytes = Buffer.from('data: 漢 😀 \u2028 é\n\n')
    const { blocks } = parse(...Array.from(bytes, (byte) => Uint8Array.of(byte)))
    expect(blocks.map(({ data, validUtf8 }) => [data, validUtf8])).toEqual([['漢 😀 \u2028 é', true]])
  })

  test('tells bytes that are no UTF-8', () => {
    expect(parse(Buffer.from([...Buffer.from('data: '), 0xff, 0x0a, 0x0a])).blocks[0]?.validUtf8).toBe(false)
  })

  test('skips one byte order mark at the start and none later', () => {
    const [first, second] = parse('\ufeffdata: a\n\n\ufeffdata: b\n\n').blocks
    expect(first?.data).toBe('a')
    expect(second?.data).toBeUndefined()
    expect(second?.fields).toEqual([{ name: '\ufeffdata', value: 'b' }])
  })

  test('keeps comments apart from fields', () => {
    const [block] = parse(': one\ndata: a\n:two\ndata: b\n\n').blocks
    expect(block?.comments).toEqual([' one', 'two'])
    expect(block?.data).toBe('a\nb')
  })

  test('joins the lines of data with LF and takes one space off each', () => {
    expect(parse('data:a\ndata:  b\ndata\ndata:\n\n').blocks[0]?.data).toBe('a\n b\n\n')
  })

  test('tells an empty data line from none', () => {
    const blocks = parse('id: 1\ndata:\n\nid: 2\n\n').blocks
    expect(blocks.map(({ data }) => data)).toEqual(['', undefined])
    expect(blocks.at(-1)?.lastEventId).toBe('2')
  })

  test('ignores an id with U+0000 and a retry that is no number', () => {
    const [block] = parse('id: a\0b\nretry: -5\nretry: 1.5\nretry: 7s\ndata: x\n\n').blocks
    expect([block?.id, block?.retry, block?.lastEventId]).toEqual([undefined, undefined, ''])
  })

  test('dispatches nothing for an event without its blank line', () => {
    const { blocks, remainder } = parse('data: a\n\ndata: b\n')
    expect(blocks).toHaveLength(1)
    expect(remainder).toBe('data: b\n')
  })

  test('reads back any events, however they are cut and whatever ends their lines', () => {
    const pieces = ['a', ' ', ':', 'data:', '{"x":1}', '😀', '\u2028', 'é', '\0', '\ufeff', '"']
    for (let seed = 1; seed <= 300; seed++) {
      const random = randomFrom(seed)
      const pick = () => Array.from({ length: random(6) }, () => pieces[random(pieces.length)]).join('')
      const wanted = Array.from({ length: 1 + random(5) }, () => Array.from({ length: 1 + random(3) }, pick))
      const lineEnd = ['\n', '\r', '\r\n'][random(3)] ?? '\n'
      const text = wanted.map((lines) => lines.map((line) => `data: ${line}${lineEnd}`).join('') + lineEnd).join('')
      const bytes = Buffer.from(text)
      const chunks: Buffer[] = []
      for (let at = 0; at < bytes.length; ) {
        const end = Math.min(bytes.length, at + 1 + random(7))
        chunks.push(bytes.subarray(at, end))
        at = end
      }
      const { blocks, remainder } = parse(...chunks)
      expect(
        blocks.map(({ data }) => data),
        `seed ${seed}`,
      ).toEqual(wanted.map((lines) => lines.join('\n')))
      expect(remainder, `seed ${seed}`).toBe('')
    }
  })
})

describe('the event reader', () => {
  test('gives events in order, and undefined at the end', async () => {
    const reader = new EventReader()
    setTimeout(() => reader.push(Buffer.from('id: 1\ndata:\n\ndata: {"jsonrpc":"2.0","method":"m"}\n\n')), 5)
    expect((await reader.next())?.data).toBe('')
    expect((await reader.next())?.id).toBeUndefined()
    expect(reader.lastEventId).toBe('1')
    expect(reader.messages.map(({ method }) => method)).toEqual(['m'])
    setTimeout(() => reader.end(), 5)
    expect(await reader.next()).toBeUndefined()
  })

  test('says what did not come', async () => {
    const reader = new EventReader()
    await expect(reader.next(10)).rejects.toThrow('No event came within 10 ms')
    await expect(reader.until(() => true, 'The answer', 10)).rejects.toThrow('The answer did not come within 10 ms')
    await expect(reader.closed(10)).rejects.toThrow('The end of the stream did not come within 10 ms')
    expect(await reader.endsWithin(10)).toBe(false)
  })

  test('stops waiting for an event when the stream ends', async () => {
    const reader = new EventReader()
    setTimeout(() => reader.end(), 5)
    await expect(reader.until(() => true, 'The answer')).rejects.toThrow(
      'The answer did not come: the stream ended before',
    )
  })
})

describe('the HTTP client', () => {
  const open: Server[] = []
  afterEach(() => {
    for (const server of open.splice(0)) server.close()
  })

  async function serve(listener: RequestListener): Promise<{ client: HttpClient; transcript: Transcript; url: URL }> {
    const server = createServer(listener)
    open.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`)
    const transcript = new Transcript()
    return { client: new HttpClient(url, transcript), transcript, url }
  }

  async function bodyOf(request: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString()
  }

  test('sends names as written, repeats lines and leaves defaults out', async () => {
    let raw: string[] = []
    const { client } = await serve((request, response) => {
      raw = request.rawHeaders
      response.end()
    })
    await client.send('POST', { body: {}, headers: { 'X-ONE': ['a', 'b'], 'x-two': undefined, HOST: 'named.example' } })
    const pairs = raw.map((name, index) => [name, raw[index + 1]]).filter((_, index) => index % 2 === 0)
    expect(pairs).toContainEqual(['X-ONE', 'a'])
    expect(pairs).toContainEqual(['X-ONE', 'b'])
    expect(pairs.filter(([name]) => name?.toLowerCase() === 'host')).toEqual([['HOST', 'named.example']])
    expect(raw).not.toContain('x-two')
  })

  test('sends one Host: of the URL, or that which is given for every request', async () => {
    const hosts: (readonly string[] | undefined)[] = []
    const { client, url, transcript } = await serve((request, response) => {
      hosts.push(request.headersDistinct.host)
      response.end()
    })
    await client.send('GET')
    const named = new HttpClient(url, transcript, { headers: { host: 'named.example' } })
    await named.send('GET')
    await named.send('GET', { headers: { Host: 'other.example' } })
    expect(hosts).toEqual([[url.host], ['named.example'], ['other.example']])
  })

  test('sends a body in chunks, without its length', async () => {
    const { client } = await serve(async (request, response) => {
      const body = await bodyOf(request)
      response.end(JSON.stringify({ body, length: request.headers['content-length'] ?? null }))
    })
    const exchange = await client.send('POST', { chunks: [Buffer.from('one '), Buffer.from('two')] })
    expect(await exchange.json()).toEqual({ body: 'one two', length: null })
  })

  test('reads an event stream while it is open, and drops it', async () => {
    let closed = false
    const { client, transcript } = await serve((_, response) => {
      response.on('close', () => {
        closed = true
      })
      response.writeHead(200, { 'Content-Type': 'Text/Event-Stream; charset=utf-8' })
      response.write('data: {"jsonrpc":"2.0","method":"m"}\n\n')
    })
    const exchange = await client.send('GET')
    expect(exchange.isEventStream).toBe(true)
    expect((await exchange.stream.next())?.data).toContain('"m"')
    expect(exchange.ended).toBe(false)
    exchange.abort()
    await expect.poll(() => closed).toBe(true)
    expect(transcript.toString()).toContain('data: {')
  })

  test('tells a broken body from a complete one', async () => {
    const { client } = await serve((_, response) => {
      response.writeHead(200, { 'Content-Length': '100' })
      response.write('half')
      setTimeout(() => response.destroy(), 5)
    })
    const exchange = await client.send('GET')
    await exchange.bytes()
    expect(exchange.failure).toBeDefined()
  })

  test('uses one connection again when asked to', async () => {
    const ports = new Set<number | undefined>()
    const { client } = await serve((request, response) => {
      ports.add(request.socket.remotePort)
      response.end('ok')
    })
    const agent = client.keepAlive()
    for (let count = 0; count < 3; count++) {
      await (await client.send('GET', { agent, headers: { Connection: 'keep-alive' } })).text()
    }
    client.close()
    expect(ports.size).toBe(1)
  })

  test('reads pipelined answers one by one from a raw connection', async () => {
    const { url, transcript } = await serve(async (request, response) => {
      const body = await bodyOf(request)
      if (body === 'chunked') response.write('in ')
      response.end(`answer to ${body}`)
    })
    const raw = await RawConnection.open(url, transcript)
    for (const body of ['plain', 'chunked']) {
      raw.writeHead('POST', { 'Content-Length': String(body.length) })
      raw.write(body)
    }
    expect((await raw.response())?.body.toString()).toBe('answer to plain')
    expect((await raw.response())?.body.toString()).toBe('in answer to chunked')
    raw.close()
  })
})

describe('the message grammar', () => {
  test('passes what a server may send', () => {
    const valid: [unknown, string?][] = [
      [{ jsonrpc: '2.0', id: 0, result: {} }],
      [{ jsonrpc: '2.0', id: 'a', error: { code: -32601, message: 'no' } }],
      [{ jsonrpc: '2.0', error: { code: -32700, message: 'no id is known' } }],
      [{ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 0, progress: 1 } }],
      [{ jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: 'x' }] } }, 'tools/call'],
      [{ jsonrpc: '2.0', id: 1, result: { tools: [{ name: 'now', inputSchema: { type: 'object' } }] } }, 'tools/list'],
      [{ jsonrpc: '2.0', id: 1, method: 'roots/list' }],
    ]
    for (const [message, method] of valid) expect(problemOf(message, method), JSON.stringify(message)).toBeUndefined()
  })

  test('finds what it may not', () => {
    const invalid: [unknown, string?][] = [
      [[]],
      [{ jsonrpc: '1.0', id: 1, result: {} }],
      [{ jsonrpc: '2.0', id: null, error: { code: 1, message: 'x' } }],
      [{ jsonrpc: '2.0', result: {} }],
      [{ jsonrpc: '2.0', id: 1, result: {}, error: { code: 1, message: 'x' } }],
      [{ jsonrpc: '2.0', id: 1, error: { code: 1.5, message: 'x' } }],
      [{ jsonrpc: '2.0', id: 1, method: 'notifications/progress', params: {} }],
      [{ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'p' } }],
      [{ jsonrpc: '2.0', id: 1, result: { tools: {} } }, 'tools/list'],
      [{ jsonrpc: '2.0', id: 1, result: { tools: [{ name: 'now', inputSchema: {} }] } }, 'tools/list'],
    ]
    for (const [message, method] of invalid) expect(problemOf(message, method), JSON.stringify(message)).toBeDefined()
  })
})
