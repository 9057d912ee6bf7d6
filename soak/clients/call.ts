import { setTimeout as sleep } from 'node:timers/promises'
import { Series } from '../check/series.ts'
import { type Played, type Script, toFiller } from '../script.ts'
import { type End, Follower } from './follower.ts'
import { Inbox } from './inbox.ts'
import type { Manners } from './manners.ts'
import type { Message, SessionClient } from './session-client.ts'
import { isStream, type Reply, readText } from './wire.ts'

export interface CallOptions {
  readonly manners: Manners
  /** The client cancels the call then, if it still runs. */
  readonly cancelAfterMs?: number
}

/**
 * How often a client comes back for a call that it cancelled and gets nothing: more than one that leaves early has to.
 */
const maxVainReturns = 10

/** Makes one call and follows it to its answer, wherever that takes the client. */
export function makeCall(client: SessionClient, script: Script, options: CallOptions): Promise<Played | undefined> {
  return new ClientCall(client, script, options).run()
}

class ClientCall {
  readonly #client: SessionClient
  readonly #script: Script
  readonly #options: CallOptions
  readonly #series = new Series()
  readonly #inbox: Inbox
  readonly #follower: Follower
  readonly #id: number
  #answer: Message | undefined
  #isCancelled = false
  readonly #startedAt = performance.now()
  #vainReturns = 0
  #resumedAt = ''

  constructor(client: SessionClient, script: Script, options: CallOptions) {
    const { world, random } = client
    this.#client = client
    this.#script = script
    this.#options = options
    this.#id = client.nextId()
    this.#inbox = new Inbox(client, script.call, this.#series)
    this.#follower = new Follower({
      ...{
        random,
        manners: options.manners,
        stopped: world.stopped,
        series: this.#series,
        hungAfterMs: world.hungAfterMs,
        needsId: true,
      },
      resume: (lastEventId) => this.#resume(lastEventId),
      onEvent: (event) => this.#take(this.#inbox.take(event)),
      attend: () => client.attend(),
      note: (text) => client.note(`${script.call}: ${text}`),
      count: (figure) => void world.ledger.figures[figure]++,
    })
  }

  async run(): Promise<Played | undefined> {
    const { world } = this.#client
    const { call, steps, answerSize } = this.#script
    world.ledger.figures.calls++
    this.#client.note(`${call}: POST ${this.#id} ${JSON.stringify(steps)}, answer of ${answerSize}`)
    const cancelling = this.#cancelLater()
    try {
      await this.#exchange()
    } catch (error) {
      if (!this.#isExcused) this.#client.fault('hung', `${call}: ${error}`)
    } finally {
      cancelling.abort()
    }
    return this.#answer?.result?.played
  }

  async #exchange(): Promise<void> {
    const params = { name: 'play', arguments: this.#script, _meta: { progressToken: this.#script.call } }
    const reply = await this.#client.post({ id: this.#id, method: 'tools/call', params })
    if (reply.status === 200 && isStream(reply)) this.#judgeEnd(await this.#follower.follow(reply))
    else await this.#readJson(reply)
    if (this.#answer) this.#judgeAnswer(this.#answer)
  }

  async #readJson(reply: Reply): Promise<void> {
    const text = await readText(reply, this.#client.world.hungAfterMs)
    if (reply.status === 200) this.#answer = JSON.parse(text) as Message
    else if (!this.#isExcused) this.#client.fault('refused', `${this.#script.call}: ${reply.status} ${text}`)
  }

  #resume(lastEventId: string): Promise<Reply> {
    this.#vainReturns = this.#isCancelled && lastEventId === this.#resumedAt ? this.#vainReturns + 1 : 0
    this.#resumedAt = lastEventId
    if (this.#vainReturns > maxVainReturns) {
      this.#client.fault('endless', `${this.#script.call}: cancelled, and still has more after ${lastEventId}`)
      this.#follower.enough()
    }
    return this.#client.get(lastEventId)
  }

  #take(message: Message | undefined): void {
    if (!message || message.method !== undefined) return
    if (this.#answer) this.#client.fault('doubled', `${this.#script.call}: a second answer`)
    this.#answer = message
    // Some leave with the answer, some stay for the end of the stream.
    if (this.#client.random.chance(0.5)) this.#follower.enough()
  }

  /** The client has given the server a reason: it left for too long, ended the session or cancelled the call. */
  get #isExcused(): boolean {
    const { isOver, world } = this.#client
    return isOver || this.#isCancelled || this.#follower.longestAbsenceMs > world.deadlines.abandonAfterMs / 2
  }

  /** The answer was kept, but not as long as this client took to come for it. */
  #isGone(text: string): boolean {
    const { retainMs } = this.#client.world.deadlines
    return text.includes('no longer kept') && performance.now() - this.#startedAt > retainMs / 2
  }

  #judgeEnd(end: End): void {
    const { call } = this.#script
    if (end.how === 'hung') this.#client.fault(this.#answer ? 'endless' : 'hung', `${call}: nothing came for too long`)
    if (this.#answer) return
    const isLost = end.how === 'nothing-left'
    if (!isLost && end.how !== 'refused') return
    if (this.#isExcused) this.#client.world.ledger.figures.excused++
    else if (isLost) this.#client.fault('lost', `${call}: 204 before the answer`)
    else if (this.#isGone(String(end.text))) this.#client.world.ledger.figures.excused++
    else this.#client.fault('refused', `${call}: ${end.status} ${end.text}`)
  }

  #judgeAnswer({ result, error, id }: Message): void {
    const { call, answerSize } = this.#script
    if (id !== this.#id) this.#client.fault('foreign', `${call}: an answer to ${id} for ${this.#id}`)
    if (error && (this.#isExcused || this.#isGone(error.message))) this.#client.world.ledger.figures.excused++
    else if (error) this.#client.fault('refused', `${call}: ${JSON.stringify(error)}`)
    if (!result) return
    const { mark, played } = result
    if (mark?.session !== this.#client.name || mark.series !== call || !played) {
      this.#client.fault('foreign', `${call}: the answer belongs to ${mark?.session} ${mark?.series}`)
      return
    }
    if (mark.filler !== toFiller(answerSize, played.sent)) this.#client.fault('damaged', `${call}: the answer`)
    this.#series.end(played.sent)
    const { missing } = this.#series
    if (missing.length > 0) {
      this.#client.fault('lost', `${call}: ${toRanges(missing)} of ${played.sent}`, missing.length)
    }
  }

  #cancelLater(): AbortController {
    const ended = new AbortController()
    const { cancelAfterMs } = this.#options
    if (cancelAfterMs !== undefined) {
      sleep(cancelAfterMs, undefined, { signal: ended.signal }).then(
        () => this.#cancel(),
        // It was answered first.
        () => undefined,
      )
    }
    return ended
  }

  async #cancel(): Promise<void> {
    this.#isCancelled = true
    this.#client.note(`${this.#script.call}: cancels`)
    const params = { requestId: this.#id, reason: 'No longer wanted' }
    await this.#client.tell({ method: 'notifications/cancelled', params }, `the cancellation of ${this.#script.call}`)
  }
}

/** `1-3, 7` */
export function toRanges(numbers: readonly number[]): string {
  const ranges: string[] = []
  for (let i = 0; i < numbers.length; ) {
    const from = numbers[i] as number
    let to = from
    while (numbers[++i] === to + 1) to++
    ranges.push(from === to ? String(from) : `${from}-${to}`)
  }
  return ranges.length > 8 ? `${ranges.slice(0, 8).join(', ')} and more` : ranges.join(', ')
}
