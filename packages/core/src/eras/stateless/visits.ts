import type { Attendance } from '../../attendance/attendance.ts'
import { createMemoryEventLog } from '../../backplane/memory/memory-backplane.ts'
import type { Posted } from '../../call/exchange.ts'
import { drainingRejection } from '../../http/errors.ts'
import type { HttpReply } from '../../http/http.ts'
import { LinkedList } from '../../queues/linked-list.ts'
import type { JsonRpcRequest } from '../../rpc/json-rpc.ts'
import type { Revision } from '../../rpc/revision.ts'
import { Visit, type VisitParts } from './visit.ts'

/** The visits of one era: those that run, and what their clients still read. */
export class Visits {
  readonly #options: VisitParts['options']
  readonly #attendance: Attendance
  /** Events wait here as long as their connection lasts. */
  readonly #log = createMemoryEventLog()
  readonly #open = new LinkedList<Visit>()
  #connections = 0

  constructor(options: VisitParts['options'], attendance: Attendance) {
    this.#options = options
    this.#attendance = attendance
  }

  get size(): number {
    return this.#open.size
  }

  /** A visit, once `build` has connected its server object. `left` is called once when it has ended. */
  async begin(revision: Revision, build: (visit: Visit) => Promise<void>, left?: () => void): Promise<Visit> {
    if (this.#attendance.draining) throw drainingRejection()
    const visit = new Visit({
      revision,
      attendance: this.#attendance,
      log: this.#log,
      options: this.#options,
      connected: (change) => {
        this.#connections += change
      },
      leave: () => {
        this.#open.remove(place)
        left?.()
      },
    })
    const place = this.#open.add(visit)
    try {
      await build(visit)
      return visit
    } catch (error) {
      await visit.end('The server object could not be built')
      throw error
    }
  }

  /** Answers the requests of a POST. */
  async run(visit: Visit, requests: readonly JsonRpcRequest[], posted: Posted): Promise<HttpReply> {
    try {
      return await visit.calls.run(requests, posted)
    } catch (error) {
      // Nothing runs that would end it.
      await visit.end('The calls were refused')
      throw error
    }
  }

  /** Lets visits end. Resolves when none is left and all was read, or after `drainMs` milliseconds. */
  async drain(drainMs: number): Promise<void> {
    await this.#attendance.untilIdle(drainMs, () => this.#connections === 0 && this.#open.size === 0)
  }

  async close(reason: string): Promise<void> {
    await Promise.all(this.#open.toArray().map((visit) => visit.end(reason)))
  }

  countCalls(): number {
    return this.#open.toArray().reduce((sum, visit) => sum + visit.calls.size, 0)
  }
}
