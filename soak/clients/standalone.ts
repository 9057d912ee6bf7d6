import { Series } from '../check/series.ts'
import { standaloneSeries } from '../script.ts'
import { toRanges } from './call.ts'
import { type End, Follower } from './follower.ts'
import { Inbox } from './inbox.ts'
import type { Manners } from './manners.ts'
import type { SessionClient } from './session-client.ts'
import { isStream, readText } from './wire.ts'

/** A client on the standalone stream of its session, from the first GET to the last. */
export class StandaloneListener {
  readonly #client: SessionClient
  readonly #series = new Series()
  readonly #follower: Follower
  /** Resolves when it listens no more. */
  readonly ended: Promise<void>
  #arrived: (() => void) | undefined

  constructor(client: SessionClient, manners: Manners) {
    const { random, world } = client
    const inbox = new Inbox(client, standaloneSeries, this.#series)
    this.#client = client
    this.#follower = new Follower({
      ...{ random, manners, stopped: world.stopped, series: this.#series, hungAfterMs: Infinity, needsId: false },
      resume: (lastEventId) => client.get(lastEventId),
      onEvent: (event) => {
        inbox.take(event)
        this.#arrived?.()
      },
      attend: () => client.attend(),
      note: (text) => client.note(`${standaloneSeries}: ${text}`),
      count: (figure) => void world.ledger.figures[figure]++,
    })
    this.ended = this.#listen()
  }

  get lastEventId(): string {
    return this.#follower.lastEventId
  }

  /** Waits for number `total`, which is the last one, reading all the time, then leaves. What has not come is lost. */
  async finish(total: number): Promise<void> {
    const { hungAfterMs } = this.#client.world
    this.#follower.hurry()
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, hungAfterMs)
      const look = (): void => {
        if (this.#series.last < total) return
        clearTimeout(timer)
        resolve()
      }
      this.#arrived = look
      void this.ended.then(resolve)
      look()
    })
    this.leave()
    await this.ended
    this.#client.world.ledger.figures.pushes += total
    this.#series.end(total)
    const { missing } = this.#series
    if (missing.length > 0) {
      this.#client.fault('lost', `${standaloneSeries}: ${toRanges(missing)} of ${total}`, missing.length)
    }
  }

  leave(): void {
    this.#follower.enough()
  }

  async #listen(): Promise<void> {
    try {
      const reply = await this.#client.get('')
      if (isStream(reply)) this.#judge(await this.#follower.follow(reply))
      else if (!this.#client.isOver) {
        this.#client.fault('refused', `GET: ${reply.status} ${await readText(reply, this.#client.world.hungAfterMs)}`)
      }
    } catch (error) {
      if (!this.#client.isOver) this.#client.fault('hung', `GET: ${error}`)
    }
  }

  #judge(end: End): void {
    if (end.how === 'enough' || this.#client.isOver) return
    const said = end.how === 'refused' ? `${end.status} ${end.text}` : end.how
    this.#client.fault(end.how === 'hung' ? 'hung' : 'refused', `${standaloneSeries}: ${said}`)
  }
}
