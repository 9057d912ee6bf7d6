import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AdapterName, adapterNames, type RunningFixture, startFixture } from '../mounts/index.ts'

/**
 * What frameworks and Node add by themselves. Everything else must be the same on every mount. An empty body may be
 * framed by its length or in chunks; a HEAD need not say the length; Fastify names the charset of JSON, which can be no other.
 */
const ofTheFramework = new Set(['date', 'connection', 'keep-alive', 'x-powered-by', 'transfer-encoding'])
const sayNothing = new Set(['content-length: 0'])
const charset = 'application/json; charset=utf-8'

interface Answer {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: string
}

interface Question {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | object
  /** Sent with the session id of an open session. */
  readonly inSession?: boolean
}

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
const initialize = {
  ...{ jsonrpc: '2.0', id: 'init', method: 'initialize' },
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'equal', version: '1' } },
}
const call = (name: string, args: object) => ({
  ...ping,
  method: 'tools/call',
  params: { name, arguments: args, _meta: { progressToken: 7 } },
})

const questions: Record<string, Question> = {
  initialize: { body: initialize },
  'a call, as JSON': { body: call('echo', { text: 'ünïcode \u2028 "quoted"' }), inSession: true },
  'a call, as a stream': { body: call('burst', { count: 3 }), inSession: true },
  'a large answer': { body: call('big', { bytes: 200_000 }), inSession: true },
  'an unknown method': { body: { ...ping, method: 'no/such' }, inSession: true },
  'a notification': { body: { jsonrpc: '2.0', method: 'notifications/x' }, inSession: true },
  'an answer nobody asked for': { body: { jsonrpc: '2.0', id: 'x', result: {} }, inSession: true },
  'no session': { body: ping },
  'an unknown session': { body: ping, headers: { 'mcp-session-id': 'x'.repeat(32) } },
  'a second initialize': { body: initialize, inSession: true },
  'a batch': { body: [ping], inSession: true },
  'malformed JSON': { body: '{"jsonrpc":', inSession: true },
  'an empty body': { body: '', inSession: true },
  'an invalid message': { body: { ...ping, id: 1.5 }, inSession: true },
  'a body that is too large': { body: 'x'.repeat(4_194_305), inSession: true },
  'a foreign Origin': { body: ping, headers: { origin: 'http://evil.example' } },
  'a foreign Host': { body: ping, headers: { host: 'evil.example' } },
  'an Accept without either type': { body: ping, headers: { accept: 'text/html' } },
  'another Content-Type': { body: ping, headers: { 'content-type': 'text/plain' } },
  'an encoded body': { body: ping, headers: { 'content-encoding': 'gzip' } },
  'an unsupported revision': { body: ping, headers: { 'mcp-protocol-version': '1999-01-01' }, inSession: true },
  'GET without a session': { method: 'GET' },
  'GET with a bad event id': { method: 'GET', headers: { 'last-event-id': 'garbage' }, inSession: true },
  'GET without the type': { method: 'GET', headers: { accept: 'application/json' }, inSession: true },
  HEAD: { method: 'HEAD' },
  OPTIONS: { method: 'OPTIONS', headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' } },
  PUT: { method: 'PUT', body: ping },
  PATCH: { method: 'PATCH', body: ping },
  'DELETE without a session': { method: 'DELETE' },
  DELETE: { method: 'DELETE', inSession: true },
  'DELETE with a body': { method: 'DELETE', body: ping, inSession: true },
}

function ask(url: string, { method = 'POST', headers = {}, body }: Question): Promise<Answer & { sessionId: string }> {
  return new Promise((resolve, reject) => {
    const text = typeof body === 'object' ? JSON.stringify(body) : body
    const accept = method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream'
    const sent = httpRequest(url, {
      method,
      agent: false,
      headers: {
        accept,
        ...(text !== undefined && {
          'content-type': 'application/json',
          'content-length': String(Buffer.byteLength(text)),
        }),
        ...headers,
      },
    })
    // A refusal may come before the body was taken.
    sent.on('error', reject).on('response', (response) => {
      const chunks: Buffer[] = []
      response
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('end', () => {
          const sessionId = String(response.headers['mcp-session-id'] ?? '')
          const hidden = (value: unknown) =>
            sessionId && value === sessionId ? '<session id>' : String(value).replace(charset, 'application/json')
          resolve({
            sessionId,
            status: response.statusCode ?? 0,
            headers: Object.entries(response.headers)
              .filter(([name]) => !ofTheFramework.has(name))
              .map(([name, value]) => `${name}: ${hidden(value)}`)
              .filter(
                (header) => !sayNothing.has(header) && !(method === 'HEAD' && header.startsWith('content-length')),
              )
              .toSorted(),
            body: Buffer.concat(chunks)
              .toString()
              .replaceAll(/retry: \d+/g, 'retry: <jittered>'),
          })
        })
    })
    sent.end(text)
  })
}

async function answerOf({ url }: RunningFixture, question: Question): Promise<Answer> {
  if (!question.inSession) return withoutId(await ask(url, question))
  const { sessionId } = await ask(url, { body: initialize })
  return withoutId(await ask(url, { ...question, headers: { 'mcp-session-id': sessionId, ...question.headers } }))
}

function withoutId({ status, headers, body }: Answer): Answer {
  return { status, headers, body }
}

describe.each(adapterNames.filter((adapter) => adapter !== 'node'))(
  '%s answers like plain Node:',
  (adapter: AdapterName) => {
    let plain: RunningFixture
    let mounted: RunningFixture
    beforeAll(async () => {
      ;[plain, mounted] = await Promise.all([startFixture({ adapter: 'node' }), startFixture({ adapter })])
    })
    afterAll(() => Promise.all([plain.close(), mounted.close()]))

    test.each(Object.entries(questions))('%s', async (_, question) => {
      expect(await answerOf(mounted, question)).toEqual(await answerOf(plain, question))
    })
  },
)
