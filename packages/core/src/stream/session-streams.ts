import type { Attendance } from '../attendance/attendance.ts'
import type { Activity } from '../attendance/seat.ts'
import type { EventLog, LogPage, LogPosition } from '../backplane/backplane.ts'
import { isEmbedded } from '../backplane/memory/memory-backplane.ts'
import type { EventStreamBody } from '../http/http.ts'
import type { MaybePromise } from '../promises/maybe-promise.ts'
import { Recent } from '../queues/recent.ts'
import type { RequestId } from '../rpc/json-rpc.ts'
import type { Revision } from '../rpc/revision.ts'
import type { AuthInfo } from '../rpc/server.ts'
import { endAbandoned } from './abandoned-stream.ts'
import { Connection } from './connection.ts'
import { type EventIdCodec, standaloneTag } from './event-id.ts'
import { expiryOf, oldAt } from './expiry.ts'
import type { Feed } from './feed.ts'
import { Following } from './following.ts'
import { noGapMessages } from './history-gap.ts'
import type { LogWriter } from './log-writer.ts'
import { ResumableFormat, type StreamFormat } from './sse-format.ts'
import type { Cursor } from './stream-reader.ts'
import { StreamWriter, type StreamWriterOptions } from './stream-writer.ts'
import { fitsWhole, writeWhole } from './whole-stream.ts'

/** Streams whose end may be in the log or not that a session remembers; the oldest are forgotten first. */
const maxDoubtful = 1_000

/** Options of the endpoint that streams go by. */
export interface StreamsOptions {
  readonly eventIds: EventIdCodec
  readonly retryMs: number
  readonly maxConnectionAgeMs: number
  readonly onError: (error: unknown, where: 'event-log') => void
}

export interface SessionStreamsParts {
  readonly sessionKey: string
  readonly writer: LogWriter
  readonly log: EventLog
  readonly attendance: Attendance
  readonly activity: Activity
  readonly options: StreamsOptions
  /** Messages that make up for dropped events of the standalone stream. */
  readonly makeUpForGap: () => readonly string[]
}

/** Of a session that never had another stream than its own: most are answered in JSON. Nothing is put in here. */
const none = new Map<never, never>()

/** The streams of one live session: the standalone one, opened by GET, and one per exchange that was upgraded. */
export class SessionStreams {
  readonly standalone: StreamWriter
  /** The client has come back with a cursor before. */
  hasResumed = false
  /** For a time no node had the session: what was told to all then, nobody appended for this one. */
  wasAway = false
  /** Of the session, once it is negotiated. */
  revision: Revision
  readonly #parts: SessionStreamsParts
  readonly #following = new Following()
  /** Streams of exchanges that run or are being read. */
  #running: Map<string, StreamWriter> = none
  /** Streams whose end may be in the log or not: nobody must end them once more. Most sessions never have one. */
  #doubtful: Recent<string, StreamWriter> | undefined
  /** Streams of a node that is gone, while they are being ended. Most sessions never have one. */
  #ending: Map<string, Promise<Feed | undefined>> | undefined

  constructor(revision: Revision, parts: SessionStreamsParts) {
    this.revision = revision
    this.#parts = parts
    this.standalone = new StreamWriter({ streamTag: standaloneTag, requestIds: [], log: parts.writer })
  }

  get size(): number {
    return this.#running.size + 1
  }

  /** Streams of exchanges that run or are being read. */
  get running(): Iterable<StreamWriter> {
    return this.#running.values()
  }

  /** Streams of calls that run or are being read. */
  get callsBeingRead(): number {
    return this.#running.size
  }

  /** The server may cut a call's connection before the answer: the client comes back for it. */
  get canPoll(): boolean {
    return this.revision.polling
  }

  /** The owner's word on a place of which the log shows nothing. */
  get writer(): LogWriter {
    return this.#parts.writer
  }

  /** A stream that is running or still being read. */
  find(streamTag: string): StreamWriter | undefined {
    if (streamTag === standaloneTag) return this.standalone
    return this.#running.get(streamTag) ?? this.#doubtful?.get(streamTag)
  }

  /** A stream for the answers to these requests. */
  open(requestIds: readonly RequestId[], attended?: (isAttended: boolean) => void): StreamWriter {
    const { writer, log } = this.#parts
    const stream = this.#add({ streamTag: writer.nextTag(), requestIds, attended, isAnnounced: !isEmbedded(log) })
    if (stream.isAnnounced) stream.append('message', '')
    return stream
  }

  /**
   * The answer to a request as a stream of its own, written before anybody reads it. `undefined` where that takes more: a
   * log that is waited for, a client that is written to at its pace, somebody who observes what happens meanwhile.
   */
  answerWhole(requestId: RequestId, text: string): EventStreamBody | undefined {
    const { sessionKey, log, writer } = this.#parts
    if (!fitsWhole(text) || !isEmbedded(log) || writer.isHeld) return undefined
    try {
      return writeWhole(text, requestId, { sessionKey, writer, log, format: this.#format() })
    } catch {
      // The codec may be somebody else's. The reader of a stream meets that too, and says it.
      return undefined
    }
  }

  #format(): StreamFormat {
    const { eventIds, retryMs } = this.#parts.options
    return new ResumableFormat({ eventIds, retryMs, priming: this.revision.priming })
  }

  /**
   * A stream of which the log has no end and that does not run here: its node is gone, and with it the calls. Ends it
   * for who comes back for them.
   */
  endAbandoned(streamTag: string): Promise<Feed | undefined> {
    // It may be ending by now, without its end being in the log.
    const live = this.find(streamTag)
    if (live) return Promise.resolve(live)
    this.#ending ??= new Map()
    const underWay = this.#ending.get(streamTag)
    if (underWay !== undefined) return underWay
    const ending = endAbandoned({
      streamTag,
      read: (after, limit) => this.read(streamTag, after, limit),
      goOn: (page) => this.#goOn(streamTag, page),
    }).finally(() => this.#ending?.delete(streamTag))
    this.#ending.set(streamTag, ending)
    return ending
  }

  #goOn(streamTag: string, page: LogPage): StreamWriter {
    const stream = this.#add({ streamTag, requestIds: page.requestIds })
    stream.goOnAfter(page)
    return stream
  }

  #add({ streamTag, requestIds, attended, isAnnounced }: Omit<StreamWriterOptions, 'log' | 'left'>): StreamWriter {
    const { writer: log } = this.#parts
    const stream = new StreamWriter({ streamTag, requestIds, attended, isAnnounced, log, left: this.#left })
    if (this.#running === none) this.#running = new Map()
    this.#running.set(streamTag, stream)
    return stream
  }

  readonly #left = (stream: StreamWriter): void => {
    this.#running.delete(stream.streamTag)
    if (stream.isEndStored) return
    this.#doubtful ??= new Recent(maxDoubtful)
    this.#doubtful.set(stream.streamTag, stream)
  }

  /** Of the log: see {@link EventLog.read}. */
  read(streamTag: string, after: number, limit: number, from?: LogPosition): MaybePromise<LogPage | undefined> {
    return this.#parts.log.read(this.#parts.sessionKey, streamTag, after, limit, from)
  }

  /** Goes on where an earlier owner of the session stopped. */
  async restoreStandalone(): Promise<void> {
    const page = await this.read(standaloneTag, 0, 0)
    if (page) this.standalone.goOnAfter(page)
  }

  /** A connection for a client that comes by GET. */
  follow(feed: Feed, auth: AuthInfo | undefined, from: Cursor): Connection {
    const historyGone = from.historyGone || (feed === this.standalone && this.#wasAway())
    return this.#following.open((closed) => this.connect(feed, auth, { ...from, historyGone }, closed))
  }

  /** Something may have happened that no event tells: who listens hears so, or who listens next. */
  makeUp(): void {
    const { reader } = this.standalone
    if (reader) reader.makeUp()
    else this.wasAway = true
  }

  /** Once. */
  #wasAway(): boolean {
    const { wasAway } = this
    this.wasAway = false
    return wasAway
  }

  /**
   * A connection for a stream, from its beginning or from where the client was. `auth` is that of the request that it
   * answers: when the token expires, the connection is cut.
   */
  connect(feed: Feed, auth: AuthInfo | undefined, from: Cursor, closed?: () => void): Connection {
    const { sessionKey, log, attendance, activity, options, makeUpForGap } = this.#parts
    const { onError } = options
    const isStandalone = feed === this.standalone
    return new Connection({
      feed,
      sessionKey,
      log,
      attendance,
      activity,
      from,
      format: this.#format(),
      oldAt: this.#oldAt(isStandalone),
      // A call whose client cannot come back for the answer is spared: it would wait for ever.
      expiresAt: isStandalone || this.canPoll ? expiryOf(auth) : Infinity,
      makeUpForGap: isStandalone ? makeUpForGap : noGapMessages,
      closed,
      onError: (error) => onError(error, 'event-log'),
    })
  }

  /**
   * When a connection is old enough to be broken. Clients of revisions before polling are spared, most of which would
   * not come back; so are calls until their client has shown that it resumes.
   */
  #oldAt(isStandalone: boolean): number {
    const isSpared = !this.canPoll || !(isStandalone || this.hasResumed)
    return isSpared ? Infinity : oldAt(this.#parts.options)
  }

  /**
   * The session has ended. Streams of exchanges have ended with their last answer; a reader that is behind gets what
   * its connection holds.
   */
  close(): void {
    this.standalone.close()
    this.#running.clear()
  }
}
