import { type Servers, toContext } from '../../call/build-server.ts'
import type { Posted } from '../../call/exchange.ts'
import { isPlainText } from '../../http/headers.ts'
import type { HttpReply, HttpRequest } from '../../http/http.ts'
import { accepted } from '../../http/reply.ts'
import type { JsonRpcNotification, JsonRpcRequest } from '../../rpc/json-rpc.ts'
import { statelessRevision } from '../../rpc/revision.ts'
import { type EntryTransport, isOf, type ModernHandler, type ModernSdk, shareToolSchemas } from '../../rpc/sdk.ts'
import type { McpServerLike } from '../../rpc/server.ts'
import type { Visit } from '../stateless/visit.ts'
import type { Visits } from '../stateless/visits.ts'
import { versionKey } from '../verdicts.ts'
import type { Place } from './places.ts'

export interface PassageParts {
  /** Where the request is counted. */
  readonly place: Place
  readonly sdk: ModernSdk
  readonly servers: Servers
  readonly visits: Visits
}

const classification = { era: 'modern', revision: statelessRevision.version } as const

/**
 * One request on its way through the SDK's entry, which sees the part of a fetch `Request` that it reads: no such object
 * is built. The entry checks the request, has the server object built, and binds it to the revision; then the object is
 * connected to a visit of ours in place of the entry's transport, and the answer is the visit's.
 */
export class Passage {
  readonly method = 'POST'
  readonly headers: { get(name: string): string | null }
  /** That the client leaves is not told to the entry: it holds nothing that would end then. */
  readonly signal = never
  /** Whether the server object is of this SDK, once there is one. One that is not was closed. */
  isNative: boolean | undefined
  readonly parts: PassageParts
  /** Of the visit, once it has decided on it. */
  reply: HttpReply | undefined
  readonly #message: JsonRpcRequest | JsonRpcNotification
  readonly #posted: Posted
  #failure: { readonly error: unknown } | undefined

  constructor(message: JsonRpcRequest | JsonRpcNotification, posted: Omit<Posted, 'isBatch'>, parts: PassageParts) {
    const { request, acceptable } = posted
    this.headers = { get: (name) => readHeader(name.toLowerCase(), request) }
    this.#message = message
    this.#posted = { request, acceptable, isBatch: false, classification, statusOf }
    this.parts = parts
  }

  /**
   * Resolves with the entry's `Response` where there is no {@link reply}.
   * @throws what the factory threw, or the visit
   */
  async through(entry: ModernHandler): Promise<Response> {
    const { auth } = this.#posted.request
    const outcome = await entry.fetch(this, { parsedBody: this.#message, authInfo: auth })
    if (this.#failure) throw this.#failure.error
    return outcome as Response
  }

  /**
   * Has a server object built that is not used, to see whether it is of this SDK.
   * @throws what {@link build} throws
   */
  async probe(): Promise<void> {
    closeUnused(await this.build())
  }

  /** The entry asks for a server object. */
  async build(): Promise<McpServerLike> {
    const { servers, sdk } = this.parts
    const context = toModernContext(this.#message, this.#posted.request)
    const server = await this.#keepingFailure(async () => {
      const built = await servers.make(context)
      this.isNative = isOf(sdk, built)
      if (this.isNative) return built
      closeUnused(built)
      throw new Error('The server object is not of this SDK')
    })
    shareToolSchemas(server)
    const connected = server as unknown as { connect?: (transport: EntryTransport) => Promise<void> }
    connected.connect = (transport) => {
      // From here on its own method again.
      delete connected.connect
      return this.#keepingFailure(() => this.#connect(server, transport))
    }
    return server
  }

  async #connect(server: McpServerLike, transport: EntryTransport): Promise<void> {
    const { servers, visits, place } = this.parts
    place.isKept = true
    const build = ({ calls }: Visit): Promise<void> => servers.connect(calls, server)
    const visit = await visits.begin(statelessRevision, build, () => place.leave())
    transport.handleMessage = () => {
      const message = this.#message
      return this.#keepingFailure(async () => {
        if ('id' in message) this.reply = await visits.run(visit, [message], this.#posted)
        else {
          this.reply = accepted
          visit.calls.receive(message, this.#posted.request)
        }
      })
    }
  }

  /** The entry would hide an error behind a 500 of its own. */
  async #keepingFailure<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      this.#failure ??= { error }
      throw error
    }
  }
}

/**
 * The entry would take bytes beyond ASCII for the letters that Node reads in them, where a gateway in front may read
 * others. What is no Base64 it refuses, as these have to be (Server Validation).
 */
function readHeader(name: string, request: HttpRequest): string | null {
  const value = request.header(name)
  if (value === undefined) return null
  return name.startsWith('mcp-') && !isPlainText(value) ? `=?base64?${value}?=` : value
}

const never = { aborted: false, addEventListener: (): void => undefined, removeEventListener: (): void => undefined }

/** Error codes that have an HTTP status (2026-07-28, Streamable HTTP, Receiving Messages). */
const methodNotFound = -32601
const missingClientCapability = -32021

/** An error of a handler is an answer like any other, except for a capability that the client lacks. */
function statusOf(code: number, beforeHandler: boolean): number {
  if (code === missingClientCapability) return 400
  if (!beforeHandler) return 200
  return code === methodNotFound ? 404 : 200
}

function toModernContext({ params }: JsonRpcRequest | JsonRpcNotification, { auth }: HttpRequest) {
  const meta = (params?._meta ?? {}) as Readonly<Record<string, unknown>>
  const client = {
    protocolVersion: meta[versionKey] ?? statelessRevision.version,
    clientInfo: meta['io.modelcontextprotocol/clientInfo'],
    capabilities: meta['io.modelcontextprotocol/clientCapabilities'],
  }
  return toContext(undefined, client, auth, false, statelessRevision.era)
}

/** Nobody waits for it, since its code is not ours: it was never used, and nothing of it can be lost. */
function closeUnused(server: McpServerLike): void {
  Promise.resolve()
    .then(() => server.close())
    .catch(() => undefined)
}
