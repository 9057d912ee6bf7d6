import type { Attendance } from '../../attendance/attendance.ts'
import { Servers, type ServersOptions, toContext } from '../../call/build-server.ts'
import type { CallsOptions } from '../../call/call.ts'
import { checkBatch, isBatch } from '../../call/dispatch.ts'
import { checkScopes } from '../../call/scopes.ts'
import type { Report } from '../../http/error-source.ts'
import { drainingRejection, Rejection, retryLater } from '../../http/errors.ts'
import type { HttpReply, HttpRequest } from '../../http/http.ts'
import { type Incoming, type ReadOptions, readMessage } from '../../http/read-message.ts'
import { accepted, refusing } from '../../http/reply.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { isInitialize, isRequest, isResponse, type JsonRpcRequest } from '../../rpc/json-rpc.ts'
import { negotiate, resolveRevision } from '../../rpc/revision.ts'
import type { SessionActivity } from '../../session/session-activity.ts'
import { type Counts, checkVersion, type Era } from '../era.ts'
import { Visits } from './visits.ts'

export interface StatelessEraOptions extends ServersOptions, ReadOptions, Omit<CallsOptions, 'onError'> {
  /** Requests that are answered at the same time, each with a server object of its own. */
  readonly maxSessions: number
  readonly onError: Report
}

/** The revisions with sessions, served without them: a server object for each POST, and nothing to come back to. */
export class StatelessEra implements Era {
  readonly methods = ['POST']
  readonly #options: StatelessEraOptions
  readonly #attendance: Attendance
  readonly #servers: Servers
  readonly #visits: Visits

  constructor(options: StatelessEraOptions, attendance: Attendance) {
    this.#options = options
    this.#attendance = attendance
    this.#servers = new Servers(options, attendance)
    this.#visits = new Visits(options, attendance)
  }

  async answer(request: HttpRequest, head: RequestHead, given?: Incoming): Promise<HttpReply> {
    const incoming = given ?? (await readMessage(request, this.#options))
    try {
      checkVersion(head, incoming)
      const requests = this.#requestsOf(incoming, head)
      if (requests.length === 0) return accepted
      if (this.#attendance.draining) throw drainingRejection()
      if (this.#visits.size >= this.#options.maxSessions) throw new Rejection('too_many_sessions', retryLater())
      const visit = await this.#visits.begin(resolveRevision(head.version), async ({ calls }) => {
        await this.#servers.build(calls, toContext(undefined, {}, request.auth, false))
        await checkScopes(calls.transport.findScopeChallenge, incoming, request.auth)
      })
      const posted = { request, acceptable: head.acceptable, isBatch: isBatch(incoming) }
      return await this.#visits.run(visit, requests, posted)
    } catch (error) {
      throw refusing(incoming, error, request, this.#options)
    }
  }

  /** Only requests reach a server object: a notification has none to go to, and a response answers nothing. */
  #requestsOf(incoming: Incoming, { version }: RequestHead): JsonRpcRequest[] {
    // Only the header tells which revision the client speaks.
    if (isBatch(incoming)) checkBatch(incoming, resolveRevision(version))
    const messages = isBatch(incoming) ? incoming : [incoming]
    if (messages.some(isResponse)) throw new Rejection('unexpected_response')
    return messages.filter(isRequest).map(negotiated)
  }

  /** Nobody listens. */
  notify(): void {
    return
  }

  sessionEnded(): void {
    return
  }

  missed(): void {
    return
  }

  async drain(drainMs: number): Promise<void> {
    await this.#visits.drain(drainMs)
  }

  /** There are none. */
  sayFarewell(): void {
    return
  }

  async close(reason: string): Promise<void> {
    await this.#visits.close(reason)
  }

  counts(): Counts {
    return { sessions: 0, streams: 0, calls: this.#visits.countCalls(), questions: 0 }
  }

  /** There are none. */
  activities(): ReadonlyMap<string, SessionActivity> {
    return new Map()
  }

  /** There are no sessions to have any. */
  streams(): undefined {
    return undefined
  }
}

function negotiated(request: JsonRpcRequest): JsonRpcRequest {
  return isInitialize(request) ? { ...request, params: negotiate(request.params ?? {}) } : request
}
