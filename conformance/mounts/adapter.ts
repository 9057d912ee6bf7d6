import type { IncomingMessage, RequestListener } from 'node:http'
import type { Mountable } from '@throughline/mcp-http-core'
import type { Exclusion } from '../src/exclusion.ts'

/**
 * Everything that this repository knows of an adapter outside of its package: whatever mounts, measures or compares
 * adapters reads these. A framework is imported when it is served, so that no process loads more than it uses.
 */
export interface Adapter<Name extends string = string> {
  /** As `--adapter`, tests and tables name it. */
  readonly name: Name
  /** The package of this repository that mounts the endpoint. */
  readonly package: string
  /** The framework under the name it is installed by, and what else it takes to serve it. Empty where there is none. */
  readonly framework: readonly string[]
  /** The same package on an older major of the framework: shown to hold, not measured and compared once more. */
  readonly isOlder?: true
  /** It can have a body parser in front, as most applications have it. What cannot be met then, and why. */
  readonly parser?: { readonly exceptions: readonly Exclusion[] }
  /** It can have compression in front. */
  readonly compression?: true
  /** It can be mounted under a router of its own, at `routerPrefix`. */
  readonly nested?: true
  /** Requirements that cannot be met in this framework, whatever is in front, each with the reason. */
  readonly exceptions: readonly Exclusion[]
  serve(routes: readonly Route[], options: ServeOptions): Promise<RequestListener>
  /** Mounts an answer without an adapter: what the framework takes for itself. */
  serveBare?(answer: BareAnswerer): Promise<RequestListener>
}

export interface Route {
  readonly path: string
  readonly serves: Mountable
}

export interface ServeOptions {
  /** Put the framework's JSON body parser in front. */
  readonly parser: boolean
  /** Put the framework's compression in front. */
  readonly compression: boolean
  /** Mount it under a router of its own. */
  readonly nested: boolean
}

export type BareAnswerer = (request: IncomingMessage) => Promise<BareAnswer>

export interface BareAnswer {
  readonly status: 200 | 202
  readonly text: string | undefined
  readonly headers: Record<string, string>
}

export const routerPrefix = '/api/v1'

/** Of the parsers in front. The endpoint refuses larger bodies itself. */
export const parserLimit = '4mb'

/** For what has no router: a query is no part of the path. */
export function isAt({ path }: Route, { url }: IncomingMessage): boolean {
  return url?.split('?', 1)[0] === path
}
