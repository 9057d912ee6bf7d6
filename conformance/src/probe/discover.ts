import type { Exchange } from '../client/exchange.ts'
import { HttpClient } from '../client/http.ts'
import { isObject, type Message, request } from '../client/json-rpc.ts'
import { responseIn, Session } from '../client/session.ts'
import { castRoles, type RoleTools } from '../roles.ts'
import type { Entry } from './enter.ts'
import { findHops } from './hops.ts'
import { insist, type SessionState, Wire } from './wire.ts'

export interface DiscoverOptions {
  readonly timeoutMs: number
  readonly idleMs: number
  readonly tools: RoleTools | undefined
}

type Reached = NonNullable<Entry['reached']>

/** Finds out how sessions fare, and which tools there are. */
export async function discover(client: HttpClient, reached: Reached, options: DiscoverOptions): Promise<Wire> {
  const { exchange: first, response } = reached
  const session = new Session(client, { id: first.header('mcp-session-id'), response, headers: {} })
  await insist(() => session.notify('notifications/initialized'))
  const message = request('tools/list')
  const answer = await insist(() => session.post(message, { headMs: options.timeoutMs }))
  const state = toState(session.id, answer)
  const tools = answer.ok ? toToolNames(await responseIn(answer, message.id, options.timeoutMs)) : new Set<string>()
  if (session.id !== undefined) await insist(() => session.delete({ headMs: options.timeoutMs }))
  const roles = castRoles(tools, options.tools)
  const asking = new HttpClient(client.url, client.transcript, { ...client.settings, roles })
  const { timeoutMs, idleMs } = options
  return new Wire({ client: asking, state, first, hops: findHops(first), timeoutMs, idleMs })
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
