import { modernRevision, type Need, type Revision, revisions } from '../requirement.ts'
import { castRoles, type RoleTools, roles } from '../roles.ts'
import type { Exchange } from './exchange.ts'
import { Mismatch } from './expect.ts'
import { type ClientSettings, type HeaderChanges, HttpClient } from './http.ts'
import { initialize, isObject, type Json, type Message } from './json-rpc.ts'
import { modernHeaders, modernRequest } from './modern.ts'
import { openSession, postHeaders, responseIn, type Session } from './session.ts'
import { type Secrets, Transcript } from './transcript.ts'
import { TimeLimit } from './waiting.ts'

/** Bearer tokens for the server under test. With `token` every request carries it. */
export interface Credentials {
  readonly token?: string
  /** Of another user. */
  readonly other?: string
  readonly expired?: string
  /** Valid, without the scope that the endpoint needs. */
  readonly weak?: string
  /** Valid, for another audience. */
  readonly foreign?: string
}

/** What a server offers, as found out before the checks. */
export interface Target {
  readonly url: URL
  /** The revision that sessions are opened with. */
  readonly version: Revision
  /** Revisions with `initialize` that the server echoes. */
  readonly versions: readonly Revision[]
  /** Name and version that it tells of itself; empty when none. */
  readonly server: string
  readonly tools: ReadonlySet<string>
  readonly roles: RoleTools
  readonly offers: ReadonlySet<Need>
  /** Goes with every request of a check. */
  readonly client: ClientSettings
  /** What no transcript may show: tokens, and the headers that the user added. */
  readonly secrets: Secrets
  readonly credentials: Credentials
  /** The quickest answer while probing, in milliseconds: what the way to the server costs by itself. */
  readonly roundTripMs: number
  /** Another node of the same deployment. */
  readonly secondUrl: URL | undefined
}

/** What the user says of the server instead of letting it be found out. */
export const profiles = {
  resumable: ['legacy', 'sessions', 'delete', 'get-stream', 'sse', 'resumption'],
  sessions: ['legacy', 'sessions', 'delete', 'get-stream', 'sse'],
  stateless: ['legacy', 'stateless', 'sse'],
  'json-only': ['legacy', 'sessions', 'delete'],
  modern: ['modern'],
  dual: ['legacy', 'modern', 'dual', 'sessions', 'delete', 'get-stream', 'sse', 'resumption'],
} as const satisfies Record<string, readonly Need[]>

export type Profile = keyof typeof profiles

export interface ProbeOptions {
  readonly revision?: Revision
  readonly profile?: Profile
  readonly roles?: RoleTools
  readonly headers?: HeaderChanges
  readonly credentials?: Credentials
  readonly secondUrl?: URL
}

/** There is no MCP server that could be checked. The message says what was found instead. */
export class TargetError extends Error {
  override name = 'TargetError'
}

/** Finds out what the server at `url` offers. Throws {@link TargetError} when it speaks no revision. */
export async function probeTarget(url: URL, options: ProbeOptions = {}): Promise<Target> {
  const { credentials = {} } = options
  const authorization = credentials.token === undefined ? {} : { Authorization: `Bearer ${credentials.token}` }
  const headers = { ...authorization, ...options.headers }
  const secrets = toSecrets(credentials, options.headers)
  const client = new HttpClient(url, new Transcript(secrets), { headers })
  try {
    const first = await findVersions(client)
    const modern = await tolerate(probeModern(client), undefined)
    if (first.versions.length === 0 && modern === undefined) throw new TargetError(first.problem)
    const version = options.revision ?? first.versions.at(-1) ?? '2025-11-25'
    const legacy = first.versions.length === 0 ? undefined : await probeLegacy(client, version, options)
    const none = new Set<string>()
    const modernTools = modern === undefined ? none : await tolerate(findModernTools(client), none)
    const tools = legacy?.tools ?? modernTools
    const cast = castRoles(tools, options.roles, modern === undefined ? tools : modernTools)
    const offers = new Set<Need>([...cast.keys()].map((role) => `role:${role}` as Need))
    const found = [...(legacy?.offers ?? []), ...(modern === undefined ? [] : (['modern'] as const))]
    if (legacy !== undefined && modern !== undefined) found.push('dual')
    for (const need of options.profile === undefined ? found : profiles[options.profile]) offers.add(need)
    for (const echoed of first.versions) offers.add(`version:${echoed}`)
    for (const need of await findCircumstances(client, options)) offers.add(need)
    return {
      url,
      version,
      versions: first.versions,
      server: legacy?.server ?? modern ?? '',
      tools,
      roles: cast,
      offers,
      client: { roles: cast, headers },
      secrets,
      credentials,
      roundTripMs: first.roundTripMs,
      secondUrl: options.secondUrl,
    }
  } catch (error) {
    throw error instanceof TargetError ? error : toTargetError(url, error)
  } finally {
    client.close()
  }
}

function toSecrets(credentials: Credentials, headers: HeaderChanges = {}): Secrets {
  const secrets = new Map<string, string>()
  for (const [kind, token] of Object.entries(credentials)) {
    const name = kind === 'token' ? '$TOKEN' : `$${kind.toUpperCase()}_TOKEN`
    // One check tries a token in the query string.
    secrets.set(token, name).set(encodeURIComponent(token), name)
  }
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string' && value.length > 3) secrets.set(value, `$${name.toUpperCase().replaceAll('-', '_')}`)
  }
  return secrets
}

/** Why `needs` are not met; `undefined` when they are. */
export function missingNeed(target: Target, needs: readonly Need[]): string | undefined {
  const missing = needs.filter((need) => !target.offers.has(need))
  return missing.length === 0 ? undefined : `needs ${missing.map(describeNeed).join(', and ')}`
}

const descriptions: Readonly<Record<string, string>> = {
  legacy: 'a server that speaks a revision up to 2025-11-25',
  sessions: 'a server that gives session ids',
  stateless: 'a server without session ids',
  'get-stream': 'a server that opens a stream on GET',
  delete: 'a server that ends sessions on DELETE',
  sse: 'a server that answers a call with progress by an event stream',
  resumption: 'a server whose events have ids',
  localhost: 'a server that is reached by a loopback address',
  modern: `a server that speaks ${modernRevision}`,
  dual: `a server that speaks ${modernRevision} and an earlier revision`,
  auth: 'a server that asks for a token, and one for it (--token)',
  'token:other': "another user's token (--other-token)",
  'token:expired': 'an expired token (--expired-token)',
  'token:weak': 'a token without the scope that the server asks for (--weak-token)',
  'token:foreign': 'a token for another audience (--foreign-token)',
  'second-node': 'the URL of another node of the same deployment (--second-url)',
}

function describeNeed(need: Need): string {
  if (need.startsWith('role:')) {
    const role = need.slice('role:'.length) as keyof typeof roles
    return `a tool that ${roles[role].does} (--tool ${role}=NAME)`
  }
  if (need.startsWith('version:')) return `a server that speaks ${need.slice('version:'.length)}`
  return descriptions[need] ?? need
}

interface VersionFinding {
  readonly versions: Revision[]
  /** What was answered instead of a known version. */
  readonly problem: string
  readonly roundTripMs: number
}

async function findVersions(client: HttpClient): Promise<VersionFinding> {
  const versions: Revision[] = []
  let problem = ''
  let roundTripMs = Number.POSITIVE_INFINITY
  for (const version of revisions) {
    const message = initialize(version)
    const exchange = await client.send('POST', { body: message, headers: postHeaders() })
    roundTripMs = Math.min(roundTripMs, exchange.headAt - exchange.startedAt)
    const response = await initializeResponse(exchange, message)
    if (response.result?.protocolVersion === version) versions.push(version)
    else problem ||= await describeAnswer(exchange)
    const id = exchange.header('mcp-session-id')
    // Tidying up: a server that cannot end sessions lets them expire.
    if (id !== undefined) await client.send('DELETE', { headers: { 'Mcp-Session-Id': id } }).catch(() => undefined)
  }
  return { versions, problem, roundTripMs: Math.ceil(roundTripMs) }
}

/** A response of no content stands for whatever else was answered. */
async function initializeResponse(exchange: Exchange, { id }: Message): Promise<Message> {
  return await responseIn(exchange, id).catch((error: unknown) => {
    if (error instanceof Mismatch) return { jsonrpc: '2.0' as const }
    throw error
  })
}

async function describeAnswer(exchange: Exchange): Promise<string> {
  const { status, contentType = 'no content type' } = exchange
  const start = exchange.isEventStream ? '' : (await exchange.text()).slice(0, 200)
  const advice = adviceFor(exchange)
  return `Expected an answer to initialize, got status ${status} with ${contentType}: ${JSON.stringify(start)}${advice}`
}

function adviceFor({ status, contentType }: Exchange): string {
  if (status === 401 || status === 403) return '. It may need a token: --token TOKEN'
  if (status === 404) return '. Is the path of the URL that of the MCP endpoint?'
  if (status >= 300 && status < 400) return '. Redirects are not followed: give the URL it leads to'
  return contentType === 'text/html' ? '. That is a web page: is the path of the URL that of the MCP endpoint?' : ''
}

function toTargetError(url: URL, error: unknown): TargetError {
  const cause = error as NodeJS.ErrnoException
  if (error instanceof TimeLimit || error instanceof Mismatch) return new TargetError(`${url}: ${error.message}`)
  const isUntrusted = /certificate|CERT/.test(`${cause.message} ${cause.code}`)
  const advice = isUntrusted ? '. A certificate of your own is trusted by NODE_EXTRA_CA_CERTS=FILE' : ''
  return new TargetError(`${url} cannot be reached: ${cause.message || cause.code || String(error)}${advice}`)
}

/** Name of the server when it answers `server/discover`; `undefined` when it does not speak 2026-07-28. */
async function probeModern(client: HttpClient): Promise<string | undefined> {
  const message = modernRequest('server/discover')
  const exchange = await client.send('POST', { body: message, headers: modernHeaders(message) })
  const { result } = await initializeResponse(exchange, message)
  const supported = result?.supportedVersions
  exchange.abort()
  if (!Array.isArray(supported) || !supported.includes(modernRevision)) return undefined
  const meta = isObject(result?._meta) ? result._meta : {}
  return toServerName(meta['io.modelcontextprotocol/serverInfo'])
}

async function findModernTools(client: HttpClient): Promise<Set<string>> {
  return await listTools(async (params) => {
    const message = modernRequest('tools/list', params)
    const exchange = await client.send('POST', { body: message, headers: modernHeaders(message) })
    return await responseIn(exchange, message.id)
  })
}

interface LegacyFinding {
  readonly server: string
  readonly tools: Set<string>
  readonly offers: readonly Need[]
}

async function probeLegacy(client: HttpClient, version: Revision, options: ProbeOptions): Promise<LegacyFinding> {
  const session = await openSession(client, version, { initialized: false })
  const server = toServerName(session.initializeResponse.result?.serverInfo)
  const first: Need[] = ['legacy', session.id === undefined ? 'stateless' : 'sessions']
  const accepted = await tolerate(session.notify('notifications/initialized'), undefined)
  if (accepted === undefined) return { server, tools: new Set(), offers: first }
  const tools = await tolerate(
    listTools((params) => session.request('tools/list', params)),
    new Set<string>(),
  )
  // Its tools are known only now: the rest is asked by a client that knows their roles.
  const asking = new HttpClient(client.url, client.transcript, {
    ...client.settings,
    roles: castRoles(tools, options.roles),
  })
  try {
    const probe = await openSession(asking, version, { initialized: false })
    await tolerate(probe.notify('notifications/initialized'), undefined)
    const offers = [...first, ...(await probeStreams(probe))]
    const ended = probe.id === undefined ? undefined : await tolerate(probe.delete(), undefined)
    if (ended !== undefined && ended.status !== 405) offers.push('delete')
    if (session.id !== undefined) await tolerate(session.delete(), undefined)
    return { server, tools, offers }
  } finally {
    asking.close()
  }
}

const mostPages = 100

/** Names of all tools; none for a server without any. */
async function listTools(ask: (params: Json) => Promise<Message>): Promise<Set<string>> {
  const names = new Set<string>()
  let cursor: unknown
  for (let page = 0; page < mostPages; page++) {
    const { result } = await ask(cursor === undefined ? {} : { cursor })
    const tools: unknown = result?.tools
    for (const tool of Array.isArray(tools) ? tools : []) if (isObject(tool)) names.add(String(tool.name))
    cursor = result?.nextCursor
    if (typeof cursor !== 'string') break
  }
  return names
}

/** A defect met while probing is for a check to judge: what is probed is not offered then. */
async function tolerate<T>(promise: Promise<T>, otherwise: T): Promise<T> {
  return await promise.catch(() => otherwise)
}

async function probeStreams(session: Session): Promise<Need[]> {
  const found: Need[] = []
  const listening = await tolerate(session.get(), undefined)
  if (listening?.isEventStream) found.push('get-stream')
  if (session.client.settings.roles?.has('progress')) found.push(...(await tolerate(probeCall(session), [])))
  // A server without such a tool shows by its priming event that its events have ids.
  else if (listening?.isEventStream && (await tolerate(listening.stream.next(500), undefined))) {
    if (listening.stream.lastEventId !== undefined) found.push('resumption')
  }
  listening?.abort()
  return found
}

async function probeCall(session: Session): Promise<Need[]> {
  const call = await session.call('progress', {}, { progressToken: 'probe' })
  await call.response()
  const { isEventStream, stream } = call.exchange
  return [...(isEventStream ? (['sse'] as const) : []), ...(stream.lastEventId ? (['resumption'] as const) : [])]
}

async function findCircumstances(client: HttpClient, options: ProbeOptions): Promise<Need[]> {
  const { credentials = {}, secondUrl } = options
  const found: Need[] = []
  if (isLoopback(client.url.hostname)) found.push('localhost')
  if (secondUrl !== undefined) found.push('second-node')
  for (const kind of ['other', 'expired', 'weak', 'foreign'] as const) {
    if (credentials[kind] !== undefined) found.push(`token:${kind}`)
  }
  if (credentials.token !== undefined) {
    const message = initialize('2025-11-25')
    const headers = postHeaders({ Authorization: undefined })
    const exchange = await tolerate(client.send('POST', { body: message, headers }), undefined)
    if (exchange?.status === 401) found.push('auth')
    exchange?.abort()
  }
  return found
}

function toServerName(info: unknown): string {
  if (!isObject(info)) return ''
  return [info.name, info.version].filter((part) => typeof part === 'string').join(' ')
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}
