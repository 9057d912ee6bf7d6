import type { Attendance } from '../../attendance/attendance.ts'
import { createMemoryEventLog } from '../../backplane/memory/memory-backplane.ts'
import { Servers, type ServersOptions, toContext } from '../../call/build-server.ts'
import type { CallsOptions } from '../../call/call.ts'
import { checkBatch, isBatch } from '../../call/dispatch.ts'
import type { Posted } from '../../call/exchange.ts'
import type { Report } from '../../http/error-source.ts'
import { drainingRejection, Rejection, retryLater } from '../../http/errors.ts'
import type { HttpReply, HttpRequest } from '../../http/http.ts'
import { type Incoming, type ReadOptions, readMessage } from '../../http/read-message.ts'
import { accepted, type Faults, refusing } from '../../http/reply.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { LinkedList } from '../../queues/linked-list.ts'
import { isInitialize, isRequest, isResponse, type JsonRpcRequest } from '../../rpc/json-rpc.ts'
import { negotiate, resolveRevision } from '../../rpc/revision.ts'
import { type Counts, checkVersion, type Era } from '../era.ts'
import { Visit } from './visit.ts'

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
  /** Events wait here as long as their connection lasts. */
  readonly #log = createMemoryEventLog()
  readonly #visits = new LinkedList<Visit>()

  constructor(options: StatelessEraOptions & Faults, attendance: Attendance) {
    this.#options = options
    this.#attendance = attendance
    this.#servers = new Servers(options, attendance)
  }

  async answer(request: HttpRequest, head: RequestHead): Promise<HttpReply> {
    const incoming = await readMessage(request, this.#options)
    try {
      checkVersion(head, incoming)
      const requests = this.#requestsOf(incoming, head)
      if (requests.length === 0) return accepted
      if (this.#attendance.draining) throw drainingRejection()
      if (this.#visits.size >= this.#options.maxSessions) throw new Rejection('too_many_sessions', retryLater())
      const visit = await this.#receive(request)
      return await this.#run(visit, requests, { request, acceptable: head.acceptable, isBatch: isBatch(incoming) })
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

  async #run(visit: Visit, requests: readonly JsonRpcRequest[], posted: Posted): Promise<HttpReply> {
    try {
      return await visit.calls.run(requests, posted)
    } catch (error) {
      // Nothing runs that would end it.
      await visit.end('The calls were refused')
      throw error
    }
  }

  async #receive({ auth }: HttpRequest): Promise<Visit> {
    const visit = new Visit({
      attendance: this.#attendance,
      log: this.#log,
      options: this.#options,
      leave: () => this.#visits.remove(place),
    })
    const place = this.#visits.add(visit)
    try {
      await this.#servers.build(visit.calls, toContext(undefined, {}, auth, false))
      return visit
    } catch (error) {
      await visit.end('The server object could not be built')
      throw error
    }
  }

  /** Nobody listens. */
  notify(): void {
    return
  }

  sessionEnded(): void {
    return
  }

  async drain(drainMs: number): Promise<void> {
    const attendance = this.#attendance
    await attendance.untilIdle(drainMs, () => attendance.connections === 0 && this.#visits.size === 0)
  }

  async close(reason: string): Promise<void> {
    await Promise.all(this.#visits.toArray().map((visit) => visit.end(reason)))
  }

  counts(): Counts {
    const calls = this.#visits.toArray().reduce((sum, visit) => sum + visit.calls.size, 0)
    return { sessions: 0, streams: 0, calls, questions: 0 }
  }
}

function negotiated(request: JsonRpcRequest): JsonRpcRequest {
  return isInitialize(request) ? { ...request, params: negotiate(request.params ?? {}) } : request
}
