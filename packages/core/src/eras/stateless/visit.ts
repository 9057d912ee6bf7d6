import type { Attendance } from '../../attendance/attendance.ts'
import type { Activity } from '../../attendance/seat.ts'
import type { EventLog } from '../../backplane/backplane.ts'
import type { CallsOptions } from '../../call/call.ts'
import { Calls } from '../../call/calls.ts'
import type { CallStreams } from '../../call/exchange.ts'
import type { RequestId } from '../../rpc/json-rpc.ts'
import type { Revision } from '../../rpc/revision.ts'
import type { AuthInfo } from '../../rpc/server.ts'
import { Connection } from '../../stream/connection.ts'
import { noGapMessages } from '../../stream/history-gap.ts'
import { LogWriter } from '../../stream/log-writer.ts'
import type { Cursor } from '../../stream/stream-reader.ts'
import { StreamWriter } from '../../stream/stream-writer.ts'
import { fitsWhole, WholeStream } from '../../stream/whole-stream.ts'
import { plainFormat } from './plain-format.ts'

export interface VisitParts {
  readonly revision: Revision
  readonly attendance: Attendance
  /** Events wait here as long as their connection lasts. */
  readonly log: EventLog
  readonly options: Omit<CallsOptions, 'onError'> & {
    readonly onError: (error: unknown, where: 'server' | 'event-log') => void
  }
  /** Its connection is open, or closed. */
  readonly connected: (change: 1 | -1) => void
  /** The visit has ended. */
  readonly leave: () => void
}

/** One POST without a session: a server object, its calls, and the one stream that they can be answered on. */
export class Visit implements CallStreams, Activity {
  readonly calls: Calls
  readonly standalone = undefined
  readonly revision: Revision
  readonly canPoll = false
  readonly #parts: VisitParts
  readonly #key = crypto.randomUUID()
  readonly #writer: LogWriter
  #active = 0

  constructor(parts: VisitParts) {
    const { attendance, log, options, revision } = parts
    this.#parts = parts
    this.revision = revision
    const failed = (failure: unknown): void => options.onError(failure, 'event-log')
    this.#writer = new LogWriter({ sessionKey: this.#key, term: 1, log, failed })
    this.calls = new Calls({
      sessionId: undefined,
      sessionKey: undefined,
      term: 1,
      attendance,
      options,
      streams: this,
      activity: this,
      serverClosed: () => this.#endLater('The server closed its transport'),
    })
  }

  /** Gives the server object back. */
  async end(reason: string): Promise<void> {
    if (this.calls.ended) return
    this.#parts.leave()
    this.calls.end(reason)
    await this.calls.closeServer()
    await this.#writer.delete()
  }

  // ---- Activity: when nothing is left to answer or to write, the visit ends ----

  began(): void {
    this.#active++
  }

  finished(): void {
    this.#active--
    if (this.#active === 0) this.#endLater('The exchange is over')
  }

  #endLater(reason: string): void {
    this.end(reason).catch((error: unknown) => this.#parts.options.onError(error, 'server'))
  }

  // ---- CallStreams ----

  open(requestIds: readonly RequestId[], attended: (isAttended: boolean) => void): StreamWriter {
    return new StreamWriter({ streamTag: this.#writer.nextTag(), requestIds, log: this.#writer, attended })
  }

  answerWhole(_requestId: RequestId, text: string): WholeStream | undefined {
    if (!fitsWhole(text)) return undefined
    return new WholeStream(plainFormat.opening(undefined, []) + plainFormat.message(text))
  }

  connect(feed: StreamWriter, _auth: AuthInfo | undefined, from: Cursor): Connection {
    const { attendance, log, options, connected } = this.#parts
    connected(1)
    return new Connection({
      feed,
      log,
      attendance,
      from,
      sessionKey: this.#key,
      activity: this,
      format: plainFormat,
      // Nobody can come back for the answer, so neither age nor the token's expiry ends the connection.
      expiresAt: Infinity,
      oldAt: Infinity,
      makeUpForGap: noGapMessages,
      closed: () => connected(-1),
      onError: (error) => options.onError(error, 'event-log'),
    })
  }
}
