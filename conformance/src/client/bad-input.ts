import type { CheckContext } from './context.ts'
import type { Exchange } from './exchange.ts'
import type { HeaderChanges } from './http.ts'
import { initialize, type Json, notification, request } from './json-rpc.ts'
import { TimeLimit } from './waiting.ts'

/** What a server is asked to refuse, and how it answered. */
export interface Refusal {
  readonly what: string
  readonly exchange: Exchange
}

const unknownSession = 'never-issued-0123456789abcdef'

/** Bodies that are no message, or one with something wrong in it. */
const bodies: readonly (string | Json | readonly unknown[])[] = [
  '',
  '{bad',
  '[]',
  'null',
  '1',
  '"text"',
  '{"jsonrpc":"2.0","id":1,"method":"ping"}trailing',
  [1, null, {}],
  { jsonrpc: '2.0' },
  { jsonrpc: '1.0', id: 1, method: 'ping' },
  { jsonrpc: '2.0', id: 1, method: 5 },
  { jsonrpc: '2.0', id: {}, method: 'ping' },
  { jsonrpc: '2.0', id: null, method: 'ping' },
  { jsonrpc: '2.0', id: 1, method: 'ping', params: [1] },
  { jsonrpc: '2.0', id: 1, method: 'ping', params: 'text' },
  { jsonrpc: '2.0', id: 1, result: {}, error: { code: 1, message: '' } },
  { jsonrpc: '2.0', id: 1, error: 'text' },
  { jsonrpc: '2.0', id: 'unasked', result: {} },
  request('__proto__'),
  request('no/such/method', { a: 1 }),
  request('tools/call'),
  request('tools/call', { name: '' }),
  request('tools/call', { name: 'no such tool', arguments: 5 }),
  request('tools/call', { name: '__proto__', arguments: { __proto__: null } }),
  request('resources/read', { uri: 'no such uri' }),
  request('prompts/get', { name: 'no such prompt' }),
  request('tools/list', { cursor: 'no such cursor' }),
  request('logging/setLevel', { level: 'no such level' }),
  notification('no/such/notification', { a: [] }),
  notification('notifications/cancelled', { requestId: {} }),
  notification('notifications/progress', { progressToken: [], progress: 'text' }),
]

/** Headers of a POST with something wrong in them. */
const headers: readonly HeaderChanges[] = [
  { 'Content-Type': 'text/plain' },
  { 'Content-Type': ';;=' },
  { 'Content-Type': 'application/json; charset=no-such-charset' },
  { Accept: 'text/html' },
  { Accept: ';q=,,/' },
  { 'Content-Encoding': 'no-such-encoding' },
  { 'Content-Encoding': 'gzip' },
  { 'MCP-Protocol-Version': 'garbage' },
  { 'Last-Event-ID': 'garbage' },
  { 'Mcp-Session-Id': unknownSession },
  { 'Mcp-Session-Id': '%00%ff' },
  { Authorization: 'garbage' },
]

/** A few of each kind, to look at what the answers say. */
export async function refusals(context: CheckContext): Promise<Refusal[]> {
  const { open, post, get, request: send, version, target } = context
  const session = await open()
  const unknown = { sessionId: unknownSession }
  const sent: [string, Promise<Exchange>][] = [
    ['malformed JSON', session.post('{bad')],
    ['an empty array', session.post('[]')],
    ['an empty body', session.post('')],
    ['an object that is no message', session.post({ jsonrpc: '2.0' })],
    ['a POST of text/plain', session.post(request('ping'), { headers: { 'Content-Type': 'text/plain' } })],
    ['a POST that accepts HTML', session.post(request('ping'), { headers: { Accept: 'text/html' } })],
    ['a bad version', session.post(request('ping'), { headers: { 'MCP-Protocol-Version': 'garbage' } })],
    ['a GET with a Last-Event-ID that is none', session.get({ lastEventId: 'garbage' })],
    ['a PUT', session.send('PUT')],
    ['a POST without a session', post(request('ping'))],
    ['a POST in an unknown session', post(request('ping'), unknown)],
    ['a GET in an unknown session', get(unknown)],
    ['a DELETE of an unknown session', send('DELETE', unknown)],
    ['a foreign Origin', post(initialize(version), { headers: { Origin: 'http://evil.example.com' } })],
  ]
  // Elsewhere a foreign Host may lead to another server, which has its own pages for errors.
  if (target.offers.has('localhost')) {
    sent.push(['a foreign Host', post(initialize(version), { headers: { Host: 'evil.example.com' } })])
  }
  return await Promise.all(sent.map(async ([what, exchange]) => ({ what, exchange: await exchange })))
}

/** Everything that a client can get wrong and that is quick to try. */
export async function badInputs(context: CheckContext): Promise<Refusal[]> {
  const found = await refusals(context)
  const session = await context.open()
  for (const body of bodies) {
    const sent = typeof body === 'string' ? body : JSON.stringify(body)
    found.push({ what: `the body ${sent}`, exchange: await session.post(sent) })
  }
  found.push({ what: 'a body that is no UTF-8', exchange: await session.post(Uint8Array.of(0x22, 0xff, 0xfe, 0x22)) })
  for (const changes of headers) {
    const what = `the header ${JSON.stringify(changes)}`
    found.push({ what, exchange: await session.post(request('ping'), { headers: changes }) })
  }
  for (const method of ['PUT', 'PATCH', 'OPTIONS', 'HEAD']) {
    found.push({ what: `the method ${method}`, exchange: await session.send(method) })
  }
  for (const params of [undefined, {}, { protocolVersion: 5 }, { protocolVersion: '', capabilities: 1 }]) {
    const exchange = await context.post(request('initialize', params))
    found.push({ what: `initialize with the params ${JSON.stringify(params)}`, exchange })
  }
  found.push({
    what: 'a query string that is none',
    exchange: await session.post(request('ping'), { query: '?%ff&&=' }),
  })
  for (const { exchange } of found) if (exchange.isEventStream) exchange.abort()
  return found
}

/** `undefined` when the server cut the connection instead. A server that does not answer at all is another matter. */
export async function orCut(exchange: Promise<Exchange>): Promise<Exchange | undefined> {
  return await exchange.catch((error: unknown) => {
    if (error instanceof TimeLimit) throw error
    return undefined
  })
}
