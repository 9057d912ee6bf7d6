import {
  createBearerAuth,
  createEndpoint,
  createMemoryBackplane,
  type Endpoint,
  type EndpointOptions,
  sharedServer,
} from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { type AdapterName, findAdapter } from '../../../conformance/mounts/adapters.ts'
import { LeastLog } from './least-log.ts'
import { announcement, listen, type RunningTarget } from './running-target.ts'
import { createServer1 } from './server1.ts'
import { createServer2 } from './server2.ts'
import { createServer30 } from './server30.ts'

/** Of other workloads all are kept, of W10 the newest. */
const maxSessions = 10_010

// Room for W6, which resumes 10,000 events while 10,000 other streams are stored. The bounds alone cost nothing.
const bounds = {
  maxEventsPerSession: 1_000_000,
  maxBytesPerSession: 1_000_000_000,
  maxEvents: 10_000_000,
  maxBytes: 2_000_000_000,
}

function createOurs(options: Partial<EndpointOptions> = {}): Endpoint {
  return createEndpoint({ server: createServer1, maxSessions, maxSessionsPerPrincipal: maxSessions, ...options })
}

/** For clients of 2026-07-28: only objects of SDK 2.x speak it. The endpoint serves sessions on the same URL. */
export async function startModern(): Promise<RunningTarget> {
  const endpoint = createOurs({ server: () => createServer2() })
  const url = await listen(toNodeHandler(endpoint))
  return { url, change: () => endpoint.notify({ method: 'notifications/tools/list_changed' }) }
}

function running(url: string, endpoint: Endpoint): RunningTarget {
  return { url, notify: () => endpoint.notify(announcement) }
}

/** Default options, or the ones given. */
export async function startOnNode(options: Partial<EndpointOptions> = {}): Promise<RunningTarget> {
  const endpoint = createOurs(options)
  return running(await listen(toNodeHandler(endpoint)), endpoint)
}

/** Tools as most servers register them, in a factory that makes their schemas for each session. */
export function startWithManyTools({ shared = false } = {}): Promise<RunningTarget> {
  return startOnNode({ server: shared ? sharedServer(() => createServer30()) : () => createServer30() })
}

/** Sessions that nobody uses any more give their server objects back. */
export function startHibernating(options: Partial<EndpointOptions> = {}): Promise<RunningTarget> {
  return startOnNode({ hibernateAfterMs: 1_000, ...options })
}

/** As `startOnNode`, with a log that keeps whole runs of W6. */
export function startForResume(): Promise<RunningTarget> {
  return startOnNode({ backplane: createMemoryBackplane({ ...bounds, retainMs: 3_600_000 }) })
}

/** What the event log costs is the difference to `startOnNode`. */
export function startWithoutLog(): Promise<RunningTarget> {
  return startOnNode({ backplane: { events: new LeastLog() } })
}

/** Verification that finds every token good: what remains is the cost of asking. */
export function startWithAuth(): Promise<RunningTarget> {
  const auth = createBearerAuth({
    verify: (token) => ({
      token,
      clientId: 'bench',
      scopes: [],
      extra: { iss: 'https://issuer.example', sub: 'bench' },
    }),
    resource: 'http://127.0.0.1/mcp',
    authorizationServers: ['https://issuer.example'],
  })
  return startOnNode({ auth })
}

export async function startBehindParser(): Promise<RunningTarget> {
  const endpoint = createOurs()
  const handle = toNodeHandler(endpoint)
  const { default: express } = await import('express')
  const parse = express.json({ limit: '4mb' }) as unknown as ConnectMiddleware
  const url = await listen((request, response) => {
    parse(request, response, () => {
      handle(request, response).catch(() => response.destroy())
    })
  })
  return running(url, endpoint)
}

type ConnectMiddleware = (
  request: Parameters<Parameters<typeof listen>[0]>[0],
  response: Parameters<Parameters<typeof listen>[0]>[1],
  next: (error?: unknown) => void,
) => void

/** Default options, in a framework. */
export async function startOn(adapter: AdapterName, { parser = false } = {}): Promise<RunningTarget> {
  const endpoint = createOurs()
  const routes = [{ path: '/mcp', serves: endpoint }]
  const handler = await findAdapter(adapter).serve(routes, { parser, compression: false, nested: false })
  return running(await listen(handler), endpoint)
}
