import { setTimeout as sleep } from 'node:timers/promises'
import { readText } from '../clients/wire.ts'
import type { Random } from '../random.ts'
import { ChaosClient } from './clients/chaos-client.ts'
import { ChaosStream } from './clients/chaos-stream.ts'
import type { ChaosWorld } from './clients/chaos-world.ts'
import type { Deployment } from './deployment.ts'

export interface Recovery {
  /** Time, in milliseconds, until the session answers on another node. */
  readonly sessionMs?: number
  /** Time until a call that ran on the node, and is read on another, has its error. */
  readonly callMs?: number
}

/** A session on one node, with a call that runs there and is read on another: it shows how long a kill takes from it. */
export class Probe {
  readonly #client: ChaosClient
  readonly #called: Promise<number | undefined>

  private constructor(client: ChaosClient) {
    this.#client = client
    this.#called = this.#call()
  }

  static async open(deployment: Deployment, world: ChaosWorld, random: Random, index: number) {
    let url = deployment.node(index).url
    const client = await ChaosClient.open(
      { ...world, url: () => url, nextName: () => `probe-${random.int(0, 1e9)}` },
      random,
    )
    url = deployment.otherThan(index).url
    if (!client) return undefined
    const probe = new Probe(client)
    // Until it runs there.
    await sleep(300)
    return probe
  }

  /** To be called at once after the kill. */
  async recover(): Promise<Recovery> {
    const killedAt = performance.now()
    const reply = await this.#client.post({ id: this.#client.nextId(), method: 'ping' })
    if (typeof reply === 'string') return {}
    await readText(reply, this.#client.world.hungAfterMs).catch(String)
    const sessionMs = performance.now() - killedAt
    const answeredAt = await this.#called
    await this.#client.end()
    return { sessionMs, ...(answeredAt !== undefined && { callMs: answeredAt - killedAt }) }
  }

  async #call(): Promise<number | undefined> {
    let answeredAt: number | undefined
    // Where the node had not said that it took the call, the next one runs it, and it has a result.
    const stream = new ChaosStream(this.#client, 'probe', ({ error }) => {
      if (error !== undefined) answeredAt ??= performance.now()
    })
    const script = { call: 'probe', steps: [{ do: 'sleep', ms: 20_000 }], answerSize: 0 }
    const params = { name: 'play', arguments: script }
    const reply = await this.#client.post({ id: this.#client.nextId(), method: 'tools/call', params }, false)
    if (typeof reply === 'string') return undefined
    await stream.follow(reply)
    return answeredAt
  }
}
