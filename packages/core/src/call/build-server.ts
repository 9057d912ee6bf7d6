import type { Attendance } from '../attendance/attendance.ts'
import { drainingRejection } from '../http/errors.ts'
import { within } from '../promises/deadline.ts'
import type { AuthInfo, McpServerLike, ServerFactory, SessionContext } from '../rpc/server.ts'
import type { Calls } from './calls.ts'

export interface ServersOptions {
  readonly server: ServerFactory
  readonly initializeTimeoutMs: number
}

/** Builds server objects with the user's factory, each for one session. */
export class Servers {
  readonly #options: ServersOptions
  readonly #attendance: Attendance
  readonly #used = new WeakSet<McpServerLike>()

  constructor(options: ServersOptions, attendance: Attendance) {
    this.#options = options
    this.#attendance = attendance
  }

  /** Builds a server object and connects it to `calls`. */
  async build(calls: Calls, context: SessionContext): Promise<void> {
    const { server: build, initializeTimeoutMs } = this.#options
    const server = await within(initializeTimeoutMs, build(context), '`server` to build a server object')
    // One shared object would mix up the answers of its sessions.
    if (this.#used.has(server)) {
      throw new Error('Expected `server` to build a new MCP server object for each session, got one that is in use')
    }
    this.#used.add(server)
    await within(initializeTimeoutMs, calls.connect(server), 'the server object to connect')
    // The endpoint closed meanwhile.
    if (this.#attendance.isClosed) throw drainingRejection()
  }
}

/** The factory's argument. `initializeParams` are the client's, and empty without sessions. */
export function toContext(
  sessionId: string | undefined,
  { protocolVersion, clientInfo, capabilities }: Readonly<Record<string, unknown>>,
  auth: AuthInfo | undefined,
  resumed: boolean,
): SessionContext {
  return {
    sessionId,
    requestedProtocolVersion: typeof protocolVersion === 'string' ? protocolVersion : undefined,
    clientInfo: clientInfo as SessionContext['clientInfo'],
    clientCapabilities: capabilities as SessionContext['clientCapabilities'],
    auth,
    resumed,
  }
}
