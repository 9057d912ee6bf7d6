import {
  checkOptions,
  type Endpoint,
  expected,
  type HttpReply,
  type HttpRequest,
  isRejection,
  type MaybePromise,
  type Mountable,
  option,
  originPolicy,
  Rejection,
  within,
} from '@throughline/mcp-http-core'
import { Looking } from './looking.ts'
import { type Command, commandHeader, type SortKey, sortKeys } from './protocol.ts'
import { pageReply, toJsonReply } from './replies.ts'

/** Options of {@link inspector}. */
export interface InspectorOptions {
  /**
   * Whether a request may see everything and end sessions. It is asked for each, the page's own included: `true` lets it
   * pass, and nothing else does. It may throw `new Rejection('unauthorized', { headers })`, to have a browser ask for a
   * password. Whoever gets past it reads what your users wrote and what your tools answered.
   */
  allow(request: HttpRequest): MaybePromise<boolean>
  /**
   * Hosts beside loopback ones under which people open the page, `'mcp.example.com'`: as the endpoint's option. The page
   * gets no data under others, since it may be one that was rebound to this machine.
   * @default []
   */
  allowedHosts?: readonly string[]
}

const table = {
  allow: option(undefined, (value, name): InspectorOptions['allow'] => {
    if (typeof value === 'function') return value as InspectorOptions['allow']
    throw expected(`${name} to be a function that says who may look`, value)
  }),
  allowedHosts: option([], (value) => value as readonly string[]),
}

/** Time, in milliseconds, in which `allow` must settle, as the endpoint's `auth`. */
const allowTimeoutMs = 10_000

/** Bytes of a command. */
const maxCommandBytes = 1_024

/** Base64url of SHA-256, or what a store of one's own has; and a tag of a stream. */
const keyGrammar = /^[\x21-\x7e]{1,200}$/

/**
 * A page that shows what happens inside an endpoint: its sessions on all nodes, their calls, streams and what the log
 * has, live; it can end sessions. Mount it beside the endpoint, with the same adapter.
 *
 * @throws TypeError for a bad option, naming it: without `allow` it does not start
 *
 * @example
 * ```ts
 * app.all('/mcp', mcp(endpoint))
 * app.all('/inspector', requireAdmin, mcp(inspector(endpoint, { allow: () => true })))
 * ```
 */
export function inspector(endpoint: Endpoint, options: InspectorOptions): Mountable {
  if (typeof endpoint?.sessions?.list !== 'function') {
    throw expected('an endpoint, as createEndpoint returns it', endpoint)
  }
  const { allow, allowedHosts } = checkOptions(table, options)
  const checkCaller = originPolicy({ allowedHosts })
  const looking = new Looking(endpoint)
  return {
    handle,
    get closing() {
      return endpoint.closing
    },
    report: (error) => endpoint.report?.(error),
  }

  async function handle(request: HttpRequest): Promise<HttpReply> {
    try {
      if ((await within(allowTimeoutMs, allow(request), 'allow to settle')) !== true)
        throw new Rejection('insufficient_scope', { message: 'Not allowed' })
      return await answer(request)
    } catch (error) {
      if (isRejection(error)) return toRefusal(error)
      endpoint.report?.(error)
      return toJsonReply({ error: 'Internal error' }, 500)
    }
  }

  async function answer(request: HttpRequest): Promise<HttpReply> {
    const { method, url } = request
    if (method === 'POST') {
      checkCaller(request)
      return toJsonReply({ ended: await looking.end((await readCommand(request)).key) })
    }
    if (method !== 'GET' && method !== 'HEAD')
      return toJsonReply({ error: 'Method' }, 405, { allow: 'GET, HEAD, POST' })
    const { searchParams: query } = new URL(url, 'http://localhost')
    if (query.has('view')) {
      checkCaller(request)
      return toJsonReply(await looking.view(readView(query)))
    }
    if (query.has('stream')) {
      checkCaller(request)
      return toJsonReply(
        await looking.stream(readKey(query, 'session'), readKey(query, 'stream'), readCount(query, 'after')),
      )
    }
    if (method === 'GET') looking.prepare()
    return pageReply
  }
}

function readView(query: URLSearchParams) {
  const sort = query.get('sort') as SortKey
  return {
    text: (query.get('q') ?? '').slice(0, 200).trim().toLowerCase(),
    sort: sortKeys.includes(sort) ? sort : 'activity',
    page: readCount(query, 'page'),
    since: readCount(query, 'since'),
    session: query.has('session') ? readKey(query, 'session') : undefined,
  }
}

function readKey(query: URLSearchParams, name: string): string {
  const key = query.get(name) ?? ''
  if (keyGrammar.test(key)) return key
  throw invalid(`Expected ${name} to be a key`)
}

function readCount(query: URLSearchParams, name: string): number {
  const count = Number(query.get(name) ?? 0)
  if (Number.isSafeInteger(count) && count >= 0) return count
  throw invalid(`Expected ${name} to be a whole number from 0`)
}

/**
 * A page of another site can send neither the header nor the type without asking first, and is never told that it may;
 * where the app tells every site so, its Origin is refused all the same.
 */
async function readCommand(request: HttpRequest): Promise<Command> {
  if (request.header(commandHeader) === undefined) throw invalid(`Expected the header ${commandHeader}`)
  const { action, key } = (request.parsedBody ?? (await readJson(request)) ?? {}) as Partial<Command>
  if (action === 'end' && typeof key === 'string' && keyGrammar.test(key)) return { action, key }
  throw invalid('Expected {"action":"end","key":…}')
}

async function readJson(request: HttpRequest): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let size = 0
  const take = (chunk: Uint8Array): void => {
    size += chunk.length
    if (size > maxCommandBytes) throw new Rejection('body_too_large')
    chunks.push(chunk)
  }
  await new Promise<void>((end, fail) => request.readBody({ take, end, fail }))
  try {
    return JSON.parse(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).text())
  } catch {
    throw invalid('Expected JSON')
  }
}

function invalid(message: string): Rejection {
  return new Rejection('invalid_request', { message })
}

const statuses: Partial<Record<Rejection['refusal'], number>> = {
  unauthorized: 401,
  auth_unavailable: 503,
  insufficient_scope: 403,
  host_not_allowed: 403,
  origin_not_allowed: 403,
  site_not_allowed: 403,
  body_too_large: 413,
}

function toRefusal({ refusal, message, headers }: Rejection): HttpReply {
  return toJsonReply({ error: message }, statuses[refusal] ?? 400, headers)
}
