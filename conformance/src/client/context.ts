import type { Revision } from '../requirement.ts'
import type { Exchange } from './exchange.ts'
import { setUp } from './expect.ts'
import { HttpClient, type RequestOptions, type SentExchange, type SentRequest } from './http.ts'
import { RawConnection } from './raw-connection.ts'
import { getHeaders, openSession, postHeaders, type Session, type SessionOptions, withDefaults } from './session.ts'
import type { Target } from './target.ts'
import { Transcript } from './transcript.ts'

export interface ContextRequestOptions extends RequestOptions {
  /** Sent as `Mcp-Session-Id`, with the protocol version header of the run. */
  readonly sessionId?: string | undefined
  readonly lastEventId?: string | undefined
}

/** What a check is given: a client of its own, cleaned up afterwards. */
export interface CheckContext {
  readonly url: URL
  /** What the server was found to offer. */
  readonly target: Target
  /** The revision of this run. */
  readonly version: Revision
  readonly client: HttpClient
  /** A client of the same settings for another URL: another node, the origin's well-known documents. */
  clientFor(url: URL): HttpClient
  /** Opens a session that is ready for use, which the check needs. */
  open(options?: SessionOptions): Promise<Session>
  /** Opens several at once. */
  openMany(count: number, options?: SessionOptions): Promise<Session[]>
  post(body: unknown, options?: ContextRequestOptions): Promise<Exchange>
  get(options?: ContextRequestOptions): Promise<Exchange>
  delete(options?: ContextRequestOptions): Promise<Exchange>
  request(method: string, options?: ContextRequestOptions): Promise<Exchange>
  /** A connection to write bytes to. */
  raw(): Promise<RawConnection>
}

export interface OwnedContext extends CheckContext {
  readonly transcript: Transcript
  close(): Promise<void>
}

/** Makes the context of one check, whose id it is told. */
export function createContext(target: Target, requirementId = ''): OwnedContext {
  const transcript = new Transcript(target.secrets)
  const onExchange = (sent: SentExchange) => target.witness.watch(sent, requirementId)
  const onRequest = (request: SentRequest) => target.witness.asked(request)
  const settings = { ...target.client, onRequest, onExchange }
  const client = new HttpClient(target.url, transcript, settings)
  const ids = new Set<string>()
  const raws: RawConnection[] = []
  const others: HttpClient[] = []

  const open = async (options: SessionOptions = {}) => {
    const session = await setUp('a session', openSession(client, target.version, options))
    if (session.id !== undefined) ids.add(session.id)
    return session
  }
  const request = async (method: string, options: ContextRequestOptions = {}) => {
    const { sessionId, lastEventId, ...rest } = options
    const own = {
      'Mcp-Session-Id': sessionId,
      'MCP-Protocol-Version': sessionId === undefined ? undefined : target.version,
      'Last-Event-ID': lastEventId,
    }
    const exchange = await client.send(method, { ...rest, headers: withDefaults(own, options.headers ?? {}) })
    const opened = exchange.ok && sessionId === undefined ? exchange.header('mcp-session-id') : undefined
    if (opened !== undefined) ids.add(opened)
    return exchange
  }
  return {
    url: target.url,
    target,
    version: target.version,
    client,
    transcript,
    clientFor: (url) => {
      const other = new HttpClient(url, transcript, settings)
      others.push(other)
      return other
    },
    open,
    openMany: (count, options) => Promise.all(Array.from({ length: count }, () => open(options))),
    request,
    post: (body, options = {}) => request('POST', { ...options, body, headers: postHeaders(options.headers) }),
    get: (options = {}) => request('GET', { ...options, headers: getHeaders(options.headers) }),
    delete: (options = {}) => request('DELETE', options),
    raw: async () => {
      const raw = await RawConnection.open(target.url, transcript)
      raws.push(raw)
      return raw
    },
    close: async () => {
      client.close()
      for (const other of others) other.close()
      for (const raw of raws) raw.close()
      await endSessions(target, ids)
    },
  }
}

async function endSessions(target: Target, ids: ReadonlySet<string>): Promise<void> {
  const quiet = new HttpClient(target.url, new Transcript(), target.client)
  const end = async (id: string) => {
    const headers = { 'Mcp-Session-Id': id, 'MCP-Protocol-Version': target.version }
    // Tidying up: a session that is gone, or a server that cannot end one, is fine.
    await quiet.send('DELETE', { headers, headMs: 1_000 }).catch(() => undefined)
  }
  await Promise.all([...ids].map(end))
  quiet.close()
}
