import { type Need, type Revision, revisions } from '../requirement.ts'
import { HttpClient } from './http.ts'
import { initialize, isObject, type Message } from './json-rpc.ts'
import { openSession, postHeaders, responseIn, type Session } from './session.ts'
import { Transcript } from './transcript.ts'

/** What a server offers, as found out before the checks. */
export interface Target {
  readonly url: URL
  /** The revision that sessions are opened with. */
  readonly version: Revision
  /** Revisions that the server echoes. */
  readonly versions: readonly Revision[]
  readonly tools: ReadonlySet<string>
  readonly offers: ReadonlySet<Need>
}

/** Finds out what the server at `url` offers. Throws when no session can be opened. */
export async function probeTarget(url: URL, wanted?: Revision): Promise<Target> {
  const client = new HttpClient(url, new Transcript())
  try {
    const versions = await findVersions(client)
    const version = wanted ?? versions.at(-1) ?? '2025-11-25'
    const session = await openSession(client, version)
    const tools = await findTools(session)
    const offers = new Set<Need>([...tools].map((name): Need => `tool:${name}`))
    for (const echoed of versions) offers.add(`version:${echoed}`)
    if (isLoopback(url.hostname)) offers.add('localhost')
    if (session.id !== undefined) offers.add('sessions')
    for (const need of await probeStreams(session, tools)) offers.add(need)
    const ended = await session.delete()
    if (session.id !== undefined && ended.status !== 405) offers.add('delete')
    return { url, version, versions, tools, offers }
  } finally {
    client.close()
  }
}

/** Why `needs` are not met; `undefined` when they are. */
export function missingNeed(target: Target, needs: readonly Need[]): string | undefined {
  const missing = needs.filter((need) => !target.offers.has(need))
  return missing.length === 0 ? undefined : `the server does not offer ${missing.join(', ')}`
}

async function findVersions(client: HttpClient): Promise<Revision[]> {
  const found: Revision[] = []
  for (const version of revisions) {
    const message = initialize(version)
    const exchange = await client.send('POST', { body: message, headers: postHeaders() })
    const response: Message = await responseIn(exchange, message.id)
    if (response.result?.protocolVersion === version) found.push(version)
    const id = exchange.header('mcp-session-id')
    if (id !== undefined) await client.send('DELETE', { headers: { 'Mcp-Session-Id': id } }).catch(() => undefined)
  }
  return found
}

async function findTools(session: Session): Promise<Set<string>> {
  const names = new Set<string>()
  let cursor: unknown
  do {
    const response = await session.request('tools/list', cursor === undefined ? {} : { cursor })
    const tools: unknown = response.result?.tools
    for (const tool of Array.isArray(tools) ? tools : []) if (isObject(tool)) names.add(String(tool.name))
    cursor = response.result?.nextCursor
  } while (typeof cursor === 'string')
  return names
}

async function probeStreams(session: Session, tools: ReadonlySet<string>): Promise<Need[]> {
  const found: Need[] = []
  const listening = await session.get()
  if (listening.status !== 405) found.push('get-stream')
  if (tools.has('test_tool_with_progress')) {
    const call = await session.call('test_tool_with_progress', {}, { progressToken: 'probe' })
    await call.response()
    if (call.exchange.isEventStream) found.push('sse')
    if (call.exchange.stream.lastEventId !== undefined) found.push('resumption')
  }
  listening.abort()
  return found
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}
