import type { MaybePromise } from '../promises/maybe-promise.ts'
import type { AuthInfo, McpServerLike } from './server.ts'

/**
 * What is used of `@modelcontextprotocol/server` 2.x. Its entry for revision 2026-07-28 checks a request against its
 * headers and binds a server object to the revision; the transport that it connects the object to is replaced.
 */
export interface ModernSdk {
  createMcpHandler(build: (context: ModernContext) => Promise<McpServerLike>, options: object): ModernHandler
  createRequestStateCodec(options: { key: string | Uint8Array; bind: (context: StateContext) => string }): StateCodec
  readonly McpServer: abstract new (...parameters: never) => object
  readonly Server: abstract new (...parameters: never) => object
}

/** What is read of the context that a handler of SDK 2.x gets. */
export interface StateContext {
  readonly mcpReq: { readonly method: string }
  readonly http?: { readonly authInfo?: AuthInfo | undefined } | undefined
}

export interface StateCodec {
  mint(payload: unknown, context: StateContext): Promise<string>
  verify(state: string, context: StateContext): Promise<unknown>
}

export interface ModernContext {
  /** The first argument of {@link ModernHandler.fetch}. */
  readonly requestInfo?: unknown
}

export interface ModernHandler {
  /** Resolves with a `Response`, or with what the transport's `handleMessage` gave. */
  fetch(request: unknown, options: { parsedBody: unknown; authInfo?: AuthInfo | undefined }): Promise<unknown>
  close(): Promise<void>
}

/** The transport of one request, which the entry makes and then asks for the answer. */
export interface EntryTransport {
  handleMessage(message: unknown): Promise<unknown>
}

/**
 * The entry of one endpoint. `build` is called with what was given to `fetch`. Only refusals and streams that end at once
 * are the entry's to answer: nothing of it needs a keep-alive.
 */
export function createEntry<T>(
  sdk: ModernSdk,
  build: (request: T) => Promise<McpServerLike>,
  onerror: (error: unknown) => void,
): ModernHandler {
  return sdk.createMcpHandler(({ requestInfo }) => build(requestInfo as T), {
    legacy: 'reject',
    keepAliveMs: 0,
    onerror,
  })
}

/** What the entry asks of an `McpServer`: the JSON schema of a tool's arguments, for the headers that mirror them. */
interface WithTools {
  toolInputSchemaJson?: (name: string) => unknown
  readonly _registeredTools?: Readonly<Record<string, { readonly enabled?: boolean; readonly inputSchema?: unknown }>>
}

const jsonSchemas = new WeakMap<object, unknown>()

/**
 * Has a server object remember what others found for the same schema. The SDK remembers it in the object, which here
 * serves one request: a third of what a call would cost.
 */
export function shareToolSchemas(server: McpServerLike): void {
  const product = server as WithTools
  const convert = product.toolInputSchemaJson
  if (typeof convert !== 'function') return
  product.toolInputSchemaJson = (name) => {
    const tools = product._registeredTools
    const tool = tools && Object.hasOwn(tools, name) ? tools[name] : undefined
    const schema = tool?.inputSchema
    if (tool?.enabled !== true || typeof schema !== 'object' || schema === null) return convert.call(product, name)
    let json = jsonSchemas.get(schema)
    if (json === undefined) {
      json = convert.call(product, name)
      if (json !== undefined) jsonSchemas.set(schema, json)
    }
    return json
  }
}

/** Whether the object was built with this copy. */
export function isOf(sdk: ModernSdk, server: McpServerLike): boolean {
  return server instanceof sdk.McpServer || server instanceof sdk.Server
}

/**
 * Finds the copy of the SDK that the factory builds its server objects with. A process may have two: that of `import`,
 * and that of `require`.
 */
export class Sdks {
  #candidates = [importSdk, requireSdk]
  #loading: Promise<ModernSdk | undefined> | undefined
  #current: ModernSdk | undefined
  /** The factory is known to build with the current copy. */
  isConfirmed = false

  /** The copy to try; `undefined`: none is installed, or none is that of the factory. */
  current(): MaybePromise<ModernSdk | undefined> {
    if (this.#current || this.#candidates.length === 0) return this.#current
    this.#loading ??= this.#load()
    return this.#loading
  }

  /** No copy is left to try. */
  get isNone(): boolean {
    return this.#candidates.length === 0 && !this.#current
  }

  /** The factory builds with this copy. */
  confirm(sdk: ModernSdk): void {
    if (sdk === this.#current) this.isConfirmed = true
  }

  /** The factory built a server object that is not of this copy. `true`: there may be another to try. */
  dismiss(sdk: ModernSdk): boolean {
    if (this.isConfirmed) return false
    if (sdk === this.#current) this.#current = undefined
    return true
  }

  async #load(): Promise<ModernSdk | undefined> {
    while (!this.#current && this.#candidates.length > 0) {
      const sdk = await (this.#candidates[0] as typeof importSdk)()
      this.#candidates = this.#candidates.slice(1)
      if (typeof sdk?.createMcpHandler === 'function') this.#current = sdk as ModernSdk
    }
    this.#loading = undefined
    return this.#current
  }
}

/** Any copy: for what is the same in all. */
export async function loadSdk(): Promise<ModernSdk | undefined> {
  return ((await importSdk()) ?? (await requireSdk())) as ModernSdk | undefined
}

async function importSdk(): Promise<Partial<ModernSdk> | undefined> {
  try {
    return (await import('@modelcontextprotocol/server')) as unknown as Partial<ModernSdk>
  } catch {
    // It is optional: a factory of SDK 1.x needs none.
    return undefined
  }
}

/** Server objects of a CommonJS app are of the other copy. Not every runtime has one. */
async function requireSdk(): Promise<Partial<ModernSdk> | undefined> {
  try {
    const { createRequire } = globalThis.process.getBuiltinModule('node:module')
    return createRequire(import.meta.url)('@modelcontextprotocol/server') as Partial<ModernSdk>
  } catch {
    return undefined
  }
}
