import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../random.ts'
import type { Script, Step } from '../../script.ts'
import { makeCall } from './chaos-call.ts'
import { ChaosClient } from './chaos-client.ts'
import { ChaosListener } from './chaos-listener.ts'
import type { ChaosWorld } from './chaos-world.ts'

/** Clients that come, one session after the other, until the world is stopped. */
export async function populate(world: ChaosWorld, random: Random, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => comeAndGo(world, random.fork(i))))
}

async function comeAndGo(world: ChaosWorld, random: Random): Promise<void> {
  while (!world.stopped.aborted) {
    const client = await ChaosClient.open(world, random)
    if (client) await visit(client)
    else await sleep(200)
  }
}

async function visit(client: ChaosClient): Promise<void> {
  const { world, random } = client
  const listener = new ChaosListener(client)
  for (let rounds = random.int(2, 8); rounds > 0 && !client.isOver && !world.stopped.aborted; rounds--) {
    const calls = Array.from({ length: random.int(1, 3) }, (_, i) => {
      const call = `call ${rounds}.${i}`
      if (random.chance(0.15)) return makeCall(client, toParked(call), random.int(50, 1_500))
      return makeCall(client, toScript(call, random))
    })
    await Promise.all(calls)
    await sleep(random.int(0, 300))
  }
  await listener.finish()
  await client.end()
  await listener.closed()
  world.journal.forget(client.sessionKey)
}

function toParked(call: string): Script {
  return { call, steps: [{ do: 'sleep', ms: 20_000 }], answerSize: 0 }
}

function toScript(call: string, random: Random): Script {
  const events = () => ({
    count: random.int(1, 40),
    size: random.pick([0, 50, 50, 5_000]),
    paceMs: random.pick([0, 5, 40]),
    awaited: true,
  })
  const kinds = { progress: 4, message: 3, push: 3, ask: 2, sleep: 2, poll: 1 }
  const toStep = (): Step => {
    const kind = random.weighted(kinds)
    if (kind === 'push') return { do: 'push', events: events() }
    if (kind === 'ask') return { do: 'ask', on: 'call', method: 'elicitation/create', timeoutMs: 10_000 }
    if (kind === 'sleep') return { do: 'sleep', ms: random.int(0, 1_500) }
    if (kind === 'poll') return { do: 'poll' }
    return { do: 'report', kind, events: events() }
  }
  return { call, steps: Array.from({ length: random.int(0, 4) }, toStep), answerSize: random.pick([10, 2_000]) }
}
