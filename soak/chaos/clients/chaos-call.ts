import type { End } from '../../clients/follower.ts'
import { isStream, type Reply, readText } from '../../clients/wire.ts'
import type { Script } from '../../script.ts'
import type { ChaosClient } from './chaos-client.ts'
import { ChaosStream, type Message } from './chaos-stream.ts'

/** Errors that a call may end with when a node, or what the store had, is gone. */
const lossErrors = ['ended before its answer', 'lives on elsewhere', 'no longer kept', 'shutting down']

/** Makes one call, and holds it to exactly one result or error. */
export async function makeCall(client: ChaosClient, script: Script, cancelAfterMs?: number): Promise<void> {
  await new ChaosCall(client, script, cancelAfterMs).run()
}

class ChaosCall {
  readonly #client: ChaosClient
  readonly #script: Script
  readonly #id: number
  readonly #cancelAfterMs: number | undefined
  readonly #stream: ChaosStream
  #answers = 0
  #isCancelled = false

  constructor(client: ChaosClient, script: Script, cancelAfterMs: number | undefined) {
    this.#client = client
    this.#script = script
    this.#id = client.nextId()
    this.#cancelAfterMs = cancelAfterMs
    this.#stream = new ChaosStream(client, script.call, (message, isStored) => this.#take(message, isStored))
  }

  async run(): Promise<void> {
    const { tally } = this.#client.world
    const { call } = this.#script
    const startedAt = performance.now()
    tally.count('calls')
    const params = { name: 'play', arguments: this.#script, _meta: { progressToken: call } }
    const stopCancelling = this.#cancelLater()
    const reply = await this.#client.post({ id: this.#id, method: 'tools/call', params }, false)
    if (typeof reply === 'string') tally.count(`calls that ended ${reply}`)
    else if (reply.status === 200 && isStream(reply)) await this.#follow(reply)
    else await this.#readJson(reply)
    stopCancelling()
    const ms = performance.now() - startedAt
    if (ms > 2 * this.#client.world.hungAfterMs) this.#client.fault('hung', `${call} took ${Math.round(ms)} ms`)
  }

  async #follow(reply: Reply): Promise<void> {
    const end = await this.#stream.follow(reply)
    // One that breaks is told apart by this at once: the node may end later, too.
    const hasNodeEnded = this.#hasNodeEnded(reply)
    const { world, openedAt } = this.#client
    await world.heardAll()
    // What a replica had not got when it took over nobody knows of: the next owner's answer has its place.
    const isComplete = this.#answers > 0 && end.how === 'nothing-left' && !world.hasLostSince(openedAt)
    this.#stream.check.judge(isComplete)
    this.#judge(end, hasNodeEnded)
  }

  #judge(end: End, hasNodeEnded: boolean): void {
    const { tally } = this.#client.world
    const { call } = this.#script
    if (this.#answers === 1) return
    if (this.#answers > 1) return this.#client.fault('doubled', `${call}: ${this.#answers} answers`)
    if (this.#isCancelled && hasNothingLeft(end)) return tally.count('calls that ended cancelled')
    if (end.how === 'hung') return this.#client.fault('hung', `${call}: nothing came for too long`)
    if (this.#client.isOver) return tally.count('calls that ended gone')
    if (end.how !== 'refused') return this.#client.fault('hung', `${call}: ${end.how} without an answer`)
    // It broke before the client had an id to come back with.
    if (end.text === 'broken before the first id' && hasNodeEnded) return tally.count('calls that ended unknown')
    if (!this.#client.world.hasLostSince(this.#client.openedAt))
      return this.#client.fault('refused', `${call}: ${end.status} ${end.text}`)
    tally.count('calls that ended refused')
  }

  async #readJson(reply: Reply): Promise<void> {
    const { world } = this.#client
    try {
      const text = await readText(reply, world.hungAfterMs)
      if (reply.status === 200) this.#take(JSON.parse(text) as Message, true)
      else this.#client.fault('refused', `${this.#script.call}: ${reply.status} ${text}`)
    } catch {
      if (this.#hasNodeEnded(reply)) world.tally.count('calls that ended unknown')
      else this.#client.fault('refused', `${this.#script.call}: its answer broke off, though its node lives`)
    }
  }

  #hasNodeEnded({ sent }: Reply): boolean {
    return this.#client.world.hasEndedSince(sent.url, sent.at)
  }

  #take({ id, method, result, error }: Message, isStored: boolean): void {
    const { tally } = this.#client.world
    if (method !== undefined) return
    this.#answers++
    if (id !== this.#id) this.#client.fault('refused', `${this.#script.call}: an answer to ${id}`)
    if (result) tally.count('results')
    else if (this.#isCancelled || lossErrors.some((text) => error?.message.includes(text))) {
      tally.count(`errors: ${error?.message.slice(0, 60)}`)
    } else this.#client.fault('refused', `${this.#script.call}: ${JSON.stringify(error)}`)
    // With an answer that has no id it would come back to before it.
    if (!isStored || this.#client.random.chance(0.5)) this.#stream.enough()
  }

  #cancelLater(): () => void {
    const timer = setTimeout(() => void this.#cancel(), this.#cancelAfterMs ?? 0)
    if (this.#cancelAfterMs === undefined) clearTimeout(timer)
    return () => clearTimeout(timer)
  }

  async #cancel(): Promise<void> {
    this.#isCancelled = true
    this.#client.note(`${this.#script.call}: cancels`)
    const params = { requestId: this.#id, reason: 'No longer wanted' }
    await this.#client.tell({ method: 'notifications/cancelled', params }, 'a cancellation')
  }
}

/** Also where nothing of it was stored, and no id was given: that is told from a broken connection. */
function hasNothingLeft(end: End): boolean {
  return end.how === 'nothing-left' || (end.how === 'refused' && end.text === 'ended before the first id')
}
