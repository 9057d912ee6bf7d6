import type { Attendance } from '../attendance/attendance.ts'
import type { Backplane } from '../backplane/backplane.ts'
import { isEmbedded } from '../backplane/memory/memory-backplane.ts'
import type { ErrorSource } from '../http/error-source.ts'
import { drainingRejection } from '../http/errors.ts'
import { toFailure } from '../http/reply.ts'
import { expected } from '../option-checks.ts'
import { within } from '../promises/deadline.ts'
import { isThenable, type MaybePromise } from '../promises/maybe-promise.ts'
import { createRequestState, type RequestState, type RequestStateOptions } from '../rpc/request-state.ts'
import type { EraName } from '../rpc/revision.ts'
import { type AuthInfo, isServer, type McpServerLike, type ServerFactory, type SessionContext } from '../rpc/server.ts'
import type { Calls } from './calls.ts'

export interface ServersOptions extends RequestStateOptions {
  readonly server: ServerFactory
  readonly initializeTimeoutMs: number
  readonly backplane: Backplane
  readonly onError: (error: unknown, where: ErrorSource) => void
}

/** The factory's argument, but for what is the same for all. */
export type KnownContext = Omit<SessionContext, 'requestState'>

/** Builds server objects with the user's factory, each for one session. */
export class Servers {
  readonly #options: ServersOptions
  readonly #attendance: Attendance
  readonly #used = new WeakSet<McpServerLike>()
  readonly #requestState: RequestState

  constructor(options: ServersOptions, attendance: Attendance) {
    this.#options = options
    this.#attendance = attendance
    const { backplane, onError } = options
    this.#requestState = createRequestState(options, () => {
      if (!isEmbedded(backplane.bus)) onError(new Error(ownStateKey), 'factory')
    })
  }

  /**
   * Builds a server object and connects it to `calls`.
   * @throws Rejection `draining`, and `internal_error` with the error of the factory or of `connect`
   */
  async build(calls: Calls, context: KnownContext): Promise<void> {
    const made = this.make(context)
    await this.connect(calls, isThenable(made) ? await made : made)
  }

  /** The first half of {@link build}. */
  make(context: KnownContext): MaybePromise<McpServerLike> {
    try {
      const built = this.#options.server({ requestState: this.#requestState, ...context })
      return isThenable(built) ? this.#makeLater(built) : this.#check(built)
    } catch (error) {
      throw toFailure('factory', error)
    }
  }

  async #makeLater(building: PromiseLike<McpServerLike>): Promise<McpServerLike> {
    const { initializeTimeoutMs } = this.#options
    try {
      return this.#check(await within(initializeTimeoutMs, building, '`server` to build a server object'))
    } catch (error) {
      throw toFailure('factory', error)
    }
  }

  #check(server: McpServerLike): McpServerLike {
    if (!isServer(server)) throw expected('`server` to return an MCP server object, with a method connect', server)
    // One shared object would mix up the answers of its sessions.
    if (this.#used.has(server)) throw new Error(inUse)
    this.#used.add(server)
    return server
  }

  /** The second half. */
  async connect(calls: Calls, server: McpServerLike): Promise<void> {
    try {
      await within(this.#options.initializeTimeoutMs, calls.connect(server), 'the server object to connect')
    } catch (error) {
      throw toFailure('factory', error)
    }
    // The endpoint closed meanwhile.
    if (this.#attendance.isClosed) throw drainingRejection()
  }
}

const ownStateKey =
  'requestState is sealed with a key of this node alone, and the message bus is one that nodes share: set requestStateKeys to the same on all, or other nodes refuse it'

const inUse = 'Expected `server` to build a new MCP server object for each session, got one that is in use'

/** The factory's argument. `initializeParams` are the client's, and empty without sessions. */
export function toContext(
  sessionId: string | undefined,
  { protocolVersion, clientInfo, capabilities }: Readonly<Record<string, unknown>>,
  auth: AuthInfo | undefined,
  resumed: boolean,
  era: EraName = '2025',
): KnownContext {
  return {
    era,
    sessionId,
    requestedProtocolVersion: typeof protocolVersion === 'string' ? protocolVersion : undefined,
    clientInfo: clientInfo as SessionContext['clientInfo'],
    clientCapabilities: capabilities as SessionContext['clientCapabilities'],
    auth,
    resumed,
  }
}
