import type { JsonRpcMessage, RequestId } from '../rpc/json-rpc.ts'
import type { ScopeResolver, SendOptions, ServerTransport } from '../rpc/server.ts'

/** Hears what a server object sends. */
export interface Outgoing {
  /** Resolves when the sender may go on; `undefined`: at once. */
  send(message: JsonRpcMessage, relatedRequestId: RequestId | undefined): Promise<void> | undefined
  /** The server object closed its transport: its session ends. */
  serverClosed(): void
}

const done = Promise.resolve()

/** The transport that a user's server object is connected to. Nothing else of ours can be reached from it. */
export class ConnectedTransport implements ServerTransport {
  readonly sessionId: string | undefined
  onmessage: ServerTransport['onmessage']
  onclose: (() => void) | undefined
  onerror: ((error: Error) => void) | undefined
  findScopeChallenge: ScopeResolver | undefined
  readonly #outgoing: Outgoing

  constructor(sessionId: string | undefined, outgoing: Outgoing) {
    this.sessionId = sessionId
    this.#outgoing = outgoing
  }

  setScopeChallengeResolver(find: ScopeResolver): void {
    this.findScopeChallenge = find
  }

  start(): Promise<void> {
    return done
  }

  /** A handler that awaits it is held to its reader's pace. */
  send(message: JsonRpcMessage, options?: SendOptions): Promise<void> {
    return this.#outgoing.send(message, options?.relatedRequestId) ?? done
  }

  close(): Promise<void> {
    this.#outgoing.serverClosed()
    return done
  }
}
