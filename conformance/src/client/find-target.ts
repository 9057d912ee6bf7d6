import { modernRevision, type Need, type Revision } from '../requirement.ts'
import { castRoles, findCandidates, type Role, type RoleTools } from '../roles.ts'
import { calibrate } from './calibrate.ts'
import { Mismatch } from './expect.ts'
import { evidenceIn, findStreams, tolerate } from './find-streams.ts'
import { findVersions, initializeResponse, isHttpWithSse, toServerName, type VersionFinding } from './find-versions.ts'
import { type ClientSettings, type HeaderChanges, HttpClient, type SentExchange } from './http.ts'
import { initialize, isObject, type Json, type Message } from './json-rpc.ts'
import { modernHeaders, modernRequest } from './modern.ts'
import { Pace } from './pace.ts'
import { entriesOf } from './pages.ts'
import { openSession, postHeaders, responseIn } from './session.ts'
import { type Credentials, isLoopback, type ProbeOptions, profiles, type Target, TargetError } from './target.ts'
import { type Secrets, Transcript } from './transcript.ts'
import { patienceMs, TimeLimit, within } from './waiting.ts'
import { Witness } from './witness.ts'

/**
 * Finds out what the server at `url` offers. Throws {@link TargetError} when it speaks no revision, and `TypeError` when
 * the tool named for a role is none of its tools.
 */
export async function probeTarget(url: URL, options: ProbeOptions = {}): Promise<Target> {
  const way = toWay(url, options)
  try {
    return await findTarget(way, options)
  } catch (error) {
    const isAnother = error instanceof TargetError || (error instanceof TypeError && !('code' in error))
    throw isAnother ? error : toTargetError(url, error)
  } finally {
    way.close()
  }
}

/** How the server is reached while it is looked at. */
interface Way {
  readonly client: HttpClient
  readonly settings: ClientSettings
  readonly secrets: Secrets
  /** Every exchange so far. */
  readonly seen: readonly SentExchange[]
  /** A client that calls tools by their roles. */
  cast(roles: RoleTools): HttpClient
  close(): void
}

function toWay(url: URL, { credentials = {}, headers: added }: ProbeOptions): Way {
  const authorization = credentials.token === undefined ? {} : { Authorization: `Bearer ${credentials.token}` }
  const secrets = toSecrets(credentials, added)
  const settings: ClientSettings = { headers: { ...authorization, ...added }, pace: new Pace() }
  const seen: SentExchange[] = []
  const clients: HttpClient[] = []
  const cast = (roles: RoleTools) => {
    const watching = { ...settings, roles, onExchange: (sent: SentExchange) => void seen.push(sent) }
    const client = new HttpClient(url, new Transcript(secrets), watching)
    clients.push(client)
    return client
  }
  const close = () => {
    for (const client of clients) client.close()
  }
  return { client: cast(new Map()), settings, secrets, seen, cast, close }
}

async function findTarget(way: Way, options: ProbeOptions): Promise<Target> {
  const { client, secrets, seen } = way
  const first = await findVersions(client)
  const modern = await tolerate(probeModern(client))
  if (first.versions.length === 0 && modern === undefined) await expectMcp(client, first)
  const isLegacy = first.versions.length > 0 || modern === undefined
  const version = options.revision ?? first.versions.at(-1) ?? '2025-11-25'
  const modernTools = (modern === undefined ? undefined : await tolerate(findModernTools(client))) ?? noTools
  // A server that hangs is not waited for once more at every step.
  const patience = patienceMs + probingRoundTrips * first.roundTripMs
  const listed = isLegacy
    ? await tolerate(within(findTools(client, version), patience, 'The list of tools'))
    : modernTools
  const tools = listed ?? noTools
  expectKnown(options.roles, new Set([...tools, ...modernTools]))
  const cast = castRoles(tools, options.roles, modern === undefined ? tools : modernTools)
  const asking = way.cast(cast)
  const streams: Need[] = []
  const canAsk = isLegacy && listed !== undefined
  if (canAsk) await tolerate(within(findStreams(asking, version, streams), patience, 'What is offered'))
  const miscast = canAsk ? await calibrate(asking, version, { tools, chosen: options.roles }) : noneMiscast
  const roles = new Map([...cast].filter(([role]) => !miscast.has(role as Role)))
  const eras = toEras({ first, isLegacy, isModern: modern !== undefined })
  const found = options.profile === undefined ? [...eras, ...streams, ...evidenceIn(seen)] : profiles[options.profile]
  return {
    url: client.url,
    version,
    versions: first.versions,
    server: first.server || (modern ?? ''),
    tools,
    roles,
    miscast,
    candidates: findCandidates(tools, cast),
    offers: new Set([
      ...found,
      ...first.versions.map((echoed): Need => `version:${echoed}`),
      ...[...roles.keys()].map((role) => `role:${role}` as Need),
      ...(await findCircumstances(client, options)),
    ]),
    client: { ...way.settings, roles, roundTripMs: first.roundTripMs },
    witness: new Witness(),
    secrets,
    credentials: options.credentials ?? {},
    roundTripMs: first.roundTripMs,
    secondUrl: options.secondUrl,
  }
}

/** Those of the longest way to find out what a server offers, made one after the other. */
const probingRoundTrips = 20

const noTools: ReadonlySet<string> = new Set()

const noneMiscast: ReadonlyMap<Role, string> = new Map()

function toEras(found: { first: VersionFinding; isLegacy: boolean; isModern: boolean }): Need[] {
  const { first, isLegacy, isModern } = found
  const legacy: Need[] = ['legacy', first.givesSessionIds ? 'sessions' : 'stateless']
  return [
    ...(isLegacy ? legacy : []),
    ...(isModern ? ['modern' as const] : []),
    ...(isLegacy && isModern ? ['dual' as const] : []),
  ]
}

/** An MCP server whose `initialize` fails is checked all the same: that it fails is what the report is about. */
async function expectMcp(client: HttpClient, { problem, speaksJsonRpc }: VersionFinding): Promise<void> {
  if (speaksJsonRpc) return
  if (await tolerate(isHttpWithSse(client))) {
    throw new TargetError(
      `${client.url} speaks HTTP with SSE, the transport of 2024-11-05: its stream of GET begins with the event ` +
        '"endpoint". This suite checks Streamable HTTP, which replaced it in 2025-03-26: give the URL of that endpoint',
    )
  }
  throw new TargetError(problem)
}

function expectKnown(chosen: RoleTools = new Map(), tools: ReadonlySet<string>): void {
  if (tools.size === 0) return
  for (const [role, { tool }] of chosen) {
    if (tools.has(tool)) continue
    const listed = [...tools].slice(0, 40).join(', ')
    throw new TypeError(`Expected --tool ${role} to name a tool of the server, got "${tool}"; it has ${listed}`)
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
    // The name of the server is in every URL too.
    if (name.toLowerCase() === 'host') continue
    if (typeof value === 'string' && value.length > 3) secrets.set(value, `$${name.toUpperCase().replaceAll('-', '_')}`)
  }
  return secrets
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

async function findTools(client: HttpClient, version: Revision): Promise<Set<string>> {
  const session = await openSession(client, version)
  const tools = await listTools((params) => session.request('tools/list', params))
  if (session.id !== undefined) await tolerate(session.delete())
  return tools
}

/** None for a server without any. */
async function listTools(ask: (params: Json) => Promise<Message>): Promise<Set<string>> {
  return new Set((await entriesOf('tools', ask)).map(({ name }) => String(name)))
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
    const exchange = await tolerate(client.send('POST', { body: message, headers }))
    if (exchange?.status === 401) found.push('auth')
    exchange?.abort()
  }
  return found
}
