import type { Exchange } from '../client/exchange.ts'
import { HttpClient } from '../client/http.ts'
import { isObject, type Message, request } from '../client/json-rpc.ts'
import { modernHeaders, modernRequest } from '../client/modern.ts'
import { responseIn, Session } from '../client/session.ts'
import { castRoles, type RoleTools } from '../roles.ts'
import type { Reached } from './enter.ts'
import { modernGreeting } from './greeting.ts'
import { findHops } from './hops.ts'
import { ModernWire } from './modern-wire.ts'
import { insist, type SessionState, Wire } from './wire.ts'

export interface DiscoverOptions {
  readonly timeoutMs: number
  readonly idleMs: number
  readonly tools: RoleTools | undefined
}

/** Finds out how sessions fare, and which tools there are. */
export async function discover(client: HttpClient, reached: Reached, options: DiscoverOptions): Promise<Wire> {
  const isModern = reached.greeting === modernGreeting
  const found = await (isModern ? lookWithoutSession(client, options) : lookInSession(client, reached, options))
  const roles = castRoles(found.tools, options.tools)
  const asking = new HttpClient(client.url, client.transcript, { ...client.settings, roles })
  const { greeting, exchange: first } = reached
  const { timeoutMs, idleMs } = options
  const settings = { client: asking, state: found.state, greeting, first, hops: findHops(first), timeoutMs, idleMs }
  return isModern ? new ModernWire(settings) : new Wire(settings)
}

interface Found {
  readonly state: SessionState
  readonly tools: ReadonlySet<string>
}

async function lookInSession(client: HttpClient, reached: Reached, { timeoutMs }: DiscoverOptions): Promise<Found> {
  const { exchange: first, response } = reached
  const session = new Session(client, { id: first.header('mcp-session-id'), response, headers: {} })
  await insist(() => session.notify('notifications/initialized'))
  const message = request('tools/list')
  const answer = await insist(() => session.post(message, { headMs: timeoutMs }))
  const tools = answer.ok ? toToolNames(await responseIn(answer, message.id, timeoutMs)) : new Set<string>()
  if (session.id !== undefined) await insist(() => session.delete({ headMs: timeoutMs }))
  return { state: toState(session.id, answer), tools }
}

async function lookWithoutSession(client: HttpClient, { timeoutMs }: DiscoverOptions): Promise<Found> {
  const message = modernRequest('tools/list')
  const answer = await client.send('POST', { body: message, headers: modernHeaders(message), headMs: timeoutMs })
  return { state: 'stateless', tools: toToolNames(await responseIn(answer, message.id, timeoutMs)) }
}

function toState(id: string | undefined, answer: Exchange): SessionState {
  if (answer.ok) return id === undefined ? 'stateless' : 'kept'
  return id === undefined ? 'lost-to-client' : 'refused'
}

/** The first page is enough: a tool that it lacks can be named. */
function toToolNames({ result }: Message): Set<string> {
  const tools = Array.isArray(result?.tools) ? result.tools : []
  return new Set(tools.filter(isObject).map(({ name }) => String(name)))
}
