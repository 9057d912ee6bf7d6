import { setTimeout as sleep } from 'node:timers/promises'
import type { Series } from '../check/series.ts'
import type { Random } from '../random.ts'
import { Connection, type Leaving } from './connection.ts'
import { gentle, type Manners } from './manners.ts'
import type { SseEvent } from './sse.ts'
import { isStream, NoReply, type Reply, readText } from './wire.ts'

export type End =
  /** Whoever follows has enough. */
  | { readonly how: 'enough' }
  /** 204: the server says that nothing is left. */
  | { readonly how: 'nothing-left' }
  | { readonly how: 'refused'; readonly status: number; readonly text: string }
  /** Nothing came for too long, though the client was there. */
  | { readonly how: 'hung' }

export interface FollowerOptions {
  readonly random: Random
  readonly manners: Manners
  /** From then on it reads as fast as it can, and stays. */
  readonly stopped: AbortSignal
  /** Hears of each connection, and of gaps. */
  readonly series: Pick<Series, 'connected' | 'told'>
  /** How long the stream may be silent; `Infinity` for one that is silent by nature. */
  readonly hungAfterMs: number
  /** Without an id the stream cannot be told from others; the standalone one can. */
  readonly needsId: boolean
  readonly resume: (lastEventId: string) => Promise<Reply>
  readonly onEvent: (event: SseEvent) => void
  /** A connection has opened; what it returns is called when it is left. */
  readonly attend: () => () => void
  readonly note: (text: string) => void
  readonly count: (figure: 'cuts' | 'resumes' | 'gaps') => void
}

/** A refusal is read for as long. */
const refusalMs = 5_000

/** Follows one stream through all its connections, as a client does that comes back with the last id it processed. */
export class Follower {
  readonly #options: FollowerOptions
  #retryMs = 0
  #isEnough = false
  #isHurried = false
  #connection: Connection | undefined
  #heardAt = performance.now()
  /** Time that the client has waited for an event, without what it spent not reading. */
  #waitedMs = 0
  /** Connections in a row that were cut before they brought anything: who cuts so early gets nowhere. */
  #fruitless = 0
  lastEventId = ''
  /** Longest time without a connection that was being read, in milliseconds. */
  longestAbsenceMs = 0
  /** Connections so far. */
  connections = 0

  constructor(options: FollowerOptions) {
    this.#options = options
  }

  /** From now on it reads as fast as it can, and stays: it waits for the rest. */
  hurry(): void {
    this.#isHurried = true
    this.#connection?.leave('cut')
  }

  /** Ends it: nothing more is wanted. */
  enough(): void {
    this.#isEnough = true
    this.#connection?.leave('left')
  }

  async follow(first: Reply): Promise<End> {
    for (let reply = first; ; ) {
      const how = await this.#read(reply)
      if (this.#isEnough) return { how: 'enough' }
      if (how === 'hung' || this.#waitedMs >= this.#options.hungAfterMs) return { how: 'hung' }
      // One that ended before its first id has nothing to come back with.
      if (this.lastEventId === '' && this.#options.needsId)
        return { how: 'refused', status: 0, text: `${how} before the first id` }
      const next = await this.#comeBack()
      if ('how' in next) return next
      reply = next
    }
  }

  async #comeBack(): Promise<Reply | End> {
    const { random, manners, resume, count } = this.#options
    await sleep(this.#retryMs + random.int(0, manners.awayMs))
    this.#waitedMs += this.#retryMs
    if (this.#isEnough) return { how: 'enough' }
    try {
      const reply = await resume(this.lastEventId)
      count('resumes')
      this.longestAbsenceMs = Math.max(this.longestAbsenceMs, performance.now() - this.#heardAt)
      if (reply.status === 204) return { how: 'nothing-left' }
      if (reply.status === 200 && isStream(reply)) return reply
      return { how: 'refused', status: reply.status, text: await readText(reply, refusalMs) }
    } catch (error) {
      return error instanceof NoReply ? { how: 'hung' } : { how: 'refused', status: 0, text: String(error) }
    }
  }

  async #read(reply: Reply): Promise<Leaving> {
    const { random, manners, series, stopped, hungAfterMs, attend, onEvent, note, count } = this.#options
    const leave = attend()
    const isTold = reply.headers['mcp-resume'] === 'gap'
    series.connected(isTold)
    if (isTold) count('gaps')
    this.connections++
    note(`connection ${this.connections} open after ${this.lastEventId || 'nothing'}${isTold ? ', with a gap' : ''}`)
    this.#fruitless++
    const connection = new Connection(reply, {
      ...{
        random,
        manners:
          stopped.aborted || this.#isHurried ? gentle : patient(manners, this.#fruitless - 1 + this.connections / 10),
        note,
      },
      hungAfterMs: hungAfterMs - this.#waitedMs,
      canComeBack: () => this.lastEventId !== '',
      onGap: () => {
        series.told()
        count('gaps')
      },
      onEvent: (event) => {
        this.lastEventId = event.id ?? this.lastEventId
        if (event.data !== '') {
          this.#waitedMs = 0
          this.#fruitless = 0
        }
        onEvent(event)
      },
    })
    this.#connection = connection
    if (this.#isEnough) connection.leave('left')
    const how = await connection.left
    leave()
    this.#connection = undefined
    if (how === 'cut') count('cuts')
    this.#retryMs = connection.retryMs ?? this.#retryMs
    this.#heardAt = connection.readUntil
    this.#waitedMs += connection.waitedMs
    note(`connection ${this.connections} ${how} at ${this.lastEventId || 'no id'}`)
    return how
  }
}

/** Three times as patient with each time, so that every stream is read to its end before long. */
function patient(manners: Manners, times: number): Manners {
  const factor = 3 ** Math.min(times, 20)
  return { ...manners, cutBytes: manners.cutBytes * factor, cutMs: manners.cutMs * factor }
}
