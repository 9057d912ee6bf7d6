import { loadSdk, type StateCodec, type StateContext } from './sdk.ts'
import type { AuthInfo } from './server.ts'

/**
 * Seals the `requestState` of requests that take several rounds (2026-07-28, Multi Round-Trip Requests): the client keeps
 * it between two rounds, and whatever comes back could be forged. Signed with the keys of the endpoint, for ten minutes,
 * for the principal and the method; the client can read it.
 */
export interface RequestState {
  /** The text to give to `inputRequired({ requestState })`. `payload` is JSON. */
  mint(payload: unknown, context: StateContext): Promise<string>
  /**
   * For the option `requestState.verify` of `McpServer`: the payload.
   * @throws Error whose message is `malformed`, `mac`, `expired` or `bind`
   */
  verify(state: string, context: StateContext): Promise<unknown>
}

/** Shortest key, in bytes: as many as the signature has. */
const minKeyBytes = 32

export type StateKey = string | Uint8Array

/** The check of the option `requestStateKeys`. */
export function toStateKeys(value: unknown, name: string): readonly StateKey[] {
  if (!Array.isArray(value)) throw new TypeError(`Expected ${name} to be an array of keys`)
  for (const key of value as unknown[]) {
    // The key itself is no text for a log.
    if (!(bytesOf(key) >= minKeyBytes))
      throw new TypeError(`Expected each of ${name} to be a text or a Uint8Array of at least ${minKeyBytes} bytes`)
  }
  return value as readonly StateKey[]
}

function bytesOf(key: unknown): number {
  if (typeof key === 'string') return new TextEncoder().encode(key).length
  return key instanceof Uint8Array ? key.length : 0
}

export interface RequestStateOptions {
  readonly requestStateKeys: readonly StateKey[]
  readonly principal: (auth: AuthInfo) => string
}

/**
 * What the factories of one endpoint get. Without keys one of its own: state is then good on this node alone, and
 * `onOwnKey` is told when there is some.
 */
export function createRequestState(
  { requestStateKeys, principal }: RequestStateOptions,
  onOwnKey: () => void,
): RequestState {
  let codecs: Promise<readonly StateCodec[]> | undefined
  const bind = ({ mcpReq, http }: StateContext): string => {
    return JSON.stringify([mcpReq.method, http?.authInfo ? principal(http.authInfo) : null])
  }
  const load = async (): Promise<readonly StateCodec[]> => {
    const sdk = await loadSdk()
    if (!sdk) throw new Error('requestState needs @modelcontextprotocol/server 2.x')
    if (requestStateKeys.length > 0) return requestStateKeys.map((key) => sdk.createRequestStateCodec({ key, bind }))
    onOwnKey()
    // Made when it is needed: some runtimes have no random values while modules load.
    return [sdk.createRequestStateCodec({ key: crypto.getRandomValues(new Uint8Array(minKeyBytes)), bind })]
  }
  return {
    async mint(payload, context) {
      codecs ??= load()
      const [newest] = (await codecs) as [StateCodec]
      return newest.mint(payload, context)
    },
    async verify(state, context) {
      codecs ??= load()
      return verifyWithAny(await codecs, state, context)
    },
  }
}

/** The newest key first: those after it are on their way out. */
async function verifyWithAny(codecs: readonly StateCodec[], state: string, context: StateContext): Promise<unknown> {
  let failure: unknown
  for (const codec of codecs) {
    try {
      return await codec.verify(state, context)
    } catch (error) {
      failure ??= error
      // Of another key. What else is wrong with it, no other key would mend.
      if ((error as Error).message !== 'mac') throw error
    }
  }
  throw failure
}
