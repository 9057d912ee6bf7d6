import type { IncomingMessage, ServerResponse } from 'node:http'
import type { createEndpoint, EndpointOptions, Mountable } from '../../packages/core/src/index.ts'
import type { Listening } from '../listen.ts'

/**
 * What the tests of all adapters need to know of one, in one major version of its framework. `M` is what the framework
 * has in front of a route: a middleware, or what adds a hook.
 */
export interface Adapter<M> {
  readonly name: string
  /** The one that the adapter exports. */
  readonly createEndpoint: typeof createEndpoint
  /** Content-Type of JSON: some frameworks name the charset, which can be no other. */
  readonly jsonType: string
  /** Content-Type that the platform by itself gives to an answer without a body. */
  readonly emptyType?: string
  /** Content-Type of the app's own 404. */
  readonly notFoundType: string
  /** Whether an answer to HEAD says the length of the one to GET. */
  readonly givesLengthToHead: boolean
  /** Whether an error of ours reaches the app's own error handling too, beside `onError`. */
  readonly tellsApp: boolean
  /** Looks at what Node has of an exchange, and goes on. */
  inFront(look: (exchange: NodeExchange) => void | Promise<void>): M
  /**
   * Serves an app until the test is over. It has routes of its own, too: GET /health gives `{"ok":true}`, POST /form
   * the fields of a form as JSON.
   */
  serve(app: App<M>): Promise<AppServer>
}

export interface NodeExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

export type Mounted = Mountable | EndpointOptions

export interface App<M> {
  /** In front of everything. */
  readonly before?: readonly M[]
  readonly routes: readonly Route<M>[]
}

export interface Route<M> {
  readonly path: string
  /** In front of this route alone. */
  readonly before?: readonly M[]
  /** An endpoint that was made before, or the options of one. */
  readonly mounted: Mounted
}

export interface AppServer extends Listening {
  /** What the app's own error handling was told. */
  readonly errors: unknown[]
}
