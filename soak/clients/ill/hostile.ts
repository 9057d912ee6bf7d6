import type { Random } from '../../random.ts'
import { talk, toHead, toRequest, toStatus } from '../raw.ts'
import { SessionClient } from '../session-client.ts'
import type { World } from '../world.ts'
import { toPostHeaders } from './leaving.ts'

interface Attempt {
  readonly what: string
  readonly request: Buffer
  /** It is refused unread. The connection then closes, and its reset may overtake the answer (RFC 9112 §9.6). */
  readonly isTooLarge?: boolean
}

/** Longer than any body that the endpoint reads. */
const tooLarge = 4_194_304

const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })

/** Headers and bodies that HTTP allows and that are wrong. Each is to be refused, and the session to go on. */
export async function hostile(world: World, random: Random): Promise<void> {
  const client = await SessionClient.open(world, random)
  if (!client) return
  for (let i = 0; i < random.int(3, 15) && !world.stopped.aborted; i++) {
    const attempt = pickAttempt(client, random)
    const { request } = attempt
    const startedAt = performance.now()
    const answer = await talk(world.url, { pieces: [request], timeoutMs: world.hungAfterMs })
    world.ledger.figures.hostile++
    judgeRefusal(client, attempt, { answer, tookMs: performance.now() - startedAt })
  }
  await expectAlive(client)
  client.leave()
}

function judgeRefusal(
  client: SessionClient,
  { what, isTooLarge = false }: Attempt,
  { answer, tookMs }: { answer: string; tookMs: number },
): void {
  const status = toStatus(answer)
  client.note(`${what}: ${status}`)
  if (status >= 400 && status <= 499) return
  if (status !== 0) client.fault('refused', `${what}: expected 4xx, got ${answer.slice(0, 300)}`)
  else if (isTooLarge && tookMs < client.world.hungAfterMs) client.world.ledger.figures.excused++
  else client.fault('hung', `${what}: no answer`)
}

/** Whatever was tried, the session is served as before. */
export async function expectAlive(client: SessionClient): Promise<void> {
  const request = toRequest(client.world.url, toPostHeaders(client), ping)
  const answer = await talk(client.world.url, { pieces: [request], timeoutMs: client.world.hungAfterMs })
  client.heard(toStatus(answer))
  if (toStatus(answer) !== 200 && !client.isOver)
    client.fault('refused', `ping after hostile requests: ${answer.slice(0, 300)}`)
}

function pickAttempt(client: SessionClient, random: Random): Attempt {
  const kind = random.weighted({ session: 3, event: 3, header: 3, body: 4 })
  if (kind === 'session') return pickSession(client, random)
  if (kind === 'event') return pickEvent(client, random)
  return kind === 'header' ? pickHeader(client, random) : pickBody(client, random)
}

function pickSession(client: SessionClient, random: Random): Attempt {
  const { sessionId } = client
  const wrong = random.pick([
    sessionId.toLowerCase() === sessionId ? `${sessionId}x` : sessionId.toLowerCase(),
    sessionId.slice(0, -1),
    `${sessionId}${sessionId}`,
    'never-issued-but-well-formed-0000',
    '__proto__',
    '../../etc/passwd',
    '%00',
    '\u00ff\u0080',
    'x'.repeat(random.pick([128, 129, 4_000])),
    `"${sessionId}"`,
    `${sessionId}, ${sessionId}`,
  ])
  const method = random.pick(['GET', 'POST', 'DELETE'])
  const headers = { ...toPostHeaders(client), 'mcp-session-id': wrong }
  const { url } = client.world
  const request = method === 'POST' ? toRequest(url, headers, ping) : toHead(url, method, headers)
  return { what: `${method} with session id ${wrong.slice(0, 60)}`, request: Buffer.from(request as string, 'latin1') }
}

function pickEvent(client: SessionClient, random: Random): Attempt {
  const wrong = random.pick([
    'x',
    '0',
    '-1',
    'g',
    'g.1',
    'g.zzzz.1-zzzz',
    'g.9999999999.1-9999999999',
    `p1-${random.int(1_000, 9_999)}.1.1-2`,
    'p1-1.zzzzzzzzzz.zzzzzzzzzz-zzzzzzzzzz',
    '__proto__',
    '\u00e9\u00ff',
    'g.1.1-1'.repeat(1_000),
    `${random.int(0, 1e9)}`,
  ])
  const headers = { ...client.headers, accept: 'text/event-stream', 'last-event-id': wrong }
  return {
    what: `GET after event ${wrong.slice(0, 60)}`,
    request: Buffer.from(toHead(client.world.url, 'GET', headers), 'latin1'),
  }
}

function pickHeader(client: SessionClient, random: Random): Attempt {
  const wrong = random.pick<Record<string, string>>([
    { accept: 'text/html' },
    { accept: ',;q=' },
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/json; charset=utf-16' },
    { 'content-encoding': 'gzip' },
    { 'mcp-protocol-version': '1999-01-01' },
    { 'mcp-protocol-version': 'x'.repeat(2_000) },
    { host: 'rebound.example' },
    { origin: 'https://rebound.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'mcp-session-id': '' },
  ])
  const request = toRequest(client.world.url, { ...toPostHeaders(client), ...wrong }, ping)
  return { what: `POST with ${JSON.stringify(wrong).slice(0, 80)}`, request }
}

function pickBody(client: SessionClient, random: Random): Attempt {
  const body = random.pick([
    '',
    '{',
    'null',
    '"text"',
    '[]',
    '[[]]',
    '{}',
    '{"jsonrpc":"1.0","id":1,"method":"ping"}',
    '{"jsonrpc":"2.0","id":{},"method":"ping"}',
    '{"jsonrpc":"2.0","id":null,"method":"ping"}',
    '{"jsonrpc":"2.0","id":1.5,"method":1}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}',
    '{"jsonrpc":"2.0","id":"never-asked","result":{}}',
    '{"jsonrpc":"2.0","id":"s1-999999","result":{}}',
    '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}',
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}',
    `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
    `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`,
    ping.slice(0, -1),
    `${ping}${ping}`,
    `\u0000${ping}`,
    `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"filler":"${'x'.repeat(5_000_000)}"}}`,
  ])
  return {
    what: `POST of ${body.length} characters, ${body.slice(0, 80)}`,
    request: toRequest(client.world.url, toPostHeaders(client), body),
    isTooLarge: body.length > tooLarge,
  }
}
