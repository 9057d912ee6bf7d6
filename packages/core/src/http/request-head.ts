import { sessionIdHeader } from './headers.ts'
import type { HttpRequest } from './http.ts'
import { type Acceptable, readAccept } from './media-types.ts'

/** All that the core looks at in the head of a request, read once. `undefined`: absent. */
export interface RequestHead {
  readonly method: string
  readonly host: string | undefined
  readonly hostCount: number
  readonly origin: string | undefined
  /** `Sec-Fetch-Site` */
  readonly site: string | undefined
  readonly acceptable: Acceptable
  /** `MCP-Protocol-Version`; `undefined` also when it is empty. */
  readonly version: string | undefined
  /** `Mcp-Session-Id`; `undefined` also when it is empty. */
  readonly sessionId: string | undefined
  readonly lastEventId: string | undefined
  /** Of a POST. */
  readonly content: ContentHead | undefined
}

export interface ContentHead {
  readonly type: string | undefined
  readonly typeCount: number
  readonly coding: string | undefined
  /** As declared; `0` when nothing is. */
  readonly length: number
}

export function readHead(request: HttpRequest): RequestHead {
  const { method } = request
  const content = method === 'POST' && {
    type: request.header('content-type'),
    typeCount: request.headerCount('content-type'),
    coding: request.header('content-encoding'),
    length: Number(request.header('content-length') ?? 0),
  }
  return {
    method,
    content: content || undefined,
    host: request.header('host'),
    hostCount: request.headerCount('host'),
    origin: request.header('origin'),
    site: request.header('sec-fetch-site'),
    version: request.header('mcp-protocol-version') || undefined,
    sessionId: request.header(sessionIdHeader) || undefined,
    lastEventId: request.header('last-event-id'),
    acceptable: readAccept(request.header('accept')),
  }
}
