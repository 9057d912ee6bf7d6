// What is counted: calls, sessions or bursts of progress, by clients in the server's own process.
import { createEndpoint } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { checkAnswer, initializedText, initializeText, protocolVersion, toCall } from '../load/messages.ts'
import { createServer1 } from '../targets/server1.ts'
import { createConnector, type Send } from './in-memory.ts'
import type { Settings, works } from './settings.ts'

const lanes = 16
/** Progress events of one burst. */
const burst = 1_000

const { work, response, times } = JSON.parse(process.argv[2] ?? '{}') as Settings
const connect = createConnector(toNodeHandler(createEndpoint({ server: createServer1, response })))
let lastId = 0

interface Lane {
  readonly send: Send
  readonly session: string
}

function toRequest(method: string, fields: string, body = ''): string {
  return `${method} / HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json, text/event-stream\r\n${fields}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}

async function open(send: Send): Promise<string> {
  const head = await send(toRequest('POST', '', initializeText))
  const sessionId = /\r\nmcp-session-id: (\S+)/i.exec(head)?.[1]
  if (sessionId === undefined) throw new Error(`Expected a session, got ${head.slice(0, 200)}`)
  const session = `mcp-session-id: ${sessionId}\r\nmcp-protocol-version: ${protocolVersion}\r\n`
  await send(toRequest('POST', session, initializedText))
  return session
}

async function call({ send, session }: Lane): Promise<void> {
  const id = ++lastId
  const text = `hello ${id}`
  checkAnswer(bodyOf(await send(toRequest('POST', session, toCall(id, 'echo', { text })))), id, text)
}

async function comeAndGo({ send }: Lane): Promise<void> {
  const session = await open(send)
  await call({ send, session })
  await send(toRequest('DELETE', session))
}

async function tellProgress({ send, session }: Lane): Promise<void> {
  const id = ++lastId
  const body = toCall(id, 'progress', { count: burst, pace: 'burst' }, 'token')
  const text = await send(toRequest('POST', session, body))
  if (!text.includes(`"progress":${burst}`)) throw new Error(`Expected ${burst} events, got ${text.slice(-200)}`)
}

/** Of an answer that is one chunk, or has a length. */
function bodyOf(response: string): string {
  const body = response.slice(response.indexOf('\r\n\r\n') + 4)
  return body.startsWith('{') ? body : body.replace(/^[0-9a-f]+\r\n/i, '').replace(/\r\n0\r\n\r\n$/, '')
}

const does = { calls: call, sessions: comeAndGo, bursts: tellProgress } satisfies Record<
  (typeof works)[number],
  unknown
>

let left = times
async function run(): Promise<void> {
  const send = connect()
  const lane = { send, session: await open(send) }
  while (left-- > 0) await does[work](lane)
}

await Promise.all(Array.from({ length: lanes }, run))
// Timers of sessions that are open would keep it alive.
process.exit(0)
