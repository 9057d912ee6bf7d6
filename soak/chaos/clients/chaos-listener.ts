import { setTimeout as sleep } from 'node:timers/promises'
import { isStream } from '../../clients/wire.ts'
import type { ChaosClient } from './chaos-client.ts'
import { ChaosStream } from './chaos-stream.ts'

/** How long a stream may stay open after DELETE. Words between nodes may be lost, and are made up for within 10 s. */
const closesAfterMs = 20_000

/** A client on the standalone stream of its session. */
export class ChaosListener {
  readonly #client: ChaosClient
  readonly #stream: ChaosStream
  readonly #ended: Promise<void>
  #isOpen = true

  constructor(client: ChaosClient) {
    this.#client = client
    this.#stream = new ChaosStream(client, 'standalone', () => undefined)
    this.#ended = this.#listen().finally(() => {
      this.#isOpen = false
    })
  }

  /** Waits until it has everything that the log has acknowledged. */
  async finish(): Promise<void> {
    const { world, sessionKey } = this.#client
    const until = performance.now() + world.hungAfterMs
    await sleep(200)
    const isBehind = () => {
      const newest = world.journal.acknowledged(sessionKey, 'g').at(-1)?.index ?? 0
      return newest > (this.#stream.check.last?.index ?? 0)
    }
    while (this.#isOpen && isBehind() && performance.now() < until) await sleep(50)
    if (!this.#client.isOver) this.#stream.check.judge(!world.hasLostSince(this.#client.openedAt))
  }

  /** After DELETE: the node that it is connected to hears of it. */
  async closed(): Promise<void> {
    const since = performance.now()
    while (this.#isOpen && performance.now() < since + closesAfterMs) await sleep(20)
    const { world, openedAt } = this.#client
    // The node that has it may not know yet that its record is gone.
    if (this.#isOpen && world.hasLostSince(openedAt)) world.tally.count('streams of lost sessions that stayed open')
    else if (this.#isOpen) this.#client.fault('hung', 'the standalone stream is open after DELETE')
    this.#stream.enough()
    await this.#ended
  }

  async #listen(): Promise<void> {
    const reply = await this.#client.get('')
    if (typeof reply === 'string') return
    if (!isStream(reply)) return this.#client.fault('refused', `GET: ${reply.status}`)
    const end = await this.#stream.follow(reply)
    if (end.how === 'enough' || this.#client.isOver) return
    if (!this.#client.world.hasLostSince(this.#client.openedAt)) {
      this.#client.fault('refused', `standalone: ${JSON.stringify(end)}`)
    }
  }
}
