import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../random.ts'
import { type CallOptions, makeCall } from './call.ts'
import { gentle, pickManners } from './manners.ts'
import { pickFloodScript, pickScript } from './scripts.ts'
import { SessionClient } from './session-client.ts'
import { StandaloneListener } from './standalone.ts'
import type { World } from './world.ts'

/** A whole life: opens a session, listens, makes calls side by side, comes back whenever it was cut off, and checks it all. */
export async function wellBehaved(world: World, random: Random): Promise<void> {
  await live(world, random, { lanes: random.int(1, 3), pick: pickScript })
}

/** The same with calls that send far more than its reader takes at once. */
export async function flooding(world: World, random: Random): Promise<void> {
  await live(world, random, { lanes: 1, pick: pickFloodScript })
}

/** The same, and cancels calls. */
export async function cancelling(world: World, random: Random): Promise<void> {
  const cancel = (): Partial<CallOptions> => (random.chance(0.6) ? { cancelAfterMs: random.int(0, 600) } : {})
  await live(world, random, { lanes: 2, pick: pickScript, callOptions: cancel })
}

/** The same, and ends its session in the middle. */
export async function deleting(world: World, random: Random): Promise<void> {
  await live(world, random, { lanes: 3, pick: pickScript, deleteAfterMs: random.int(0, 1_500) })
}

interface Life {
  readonly lanes: number
  readonly pick: typeof pickScript
  readonly callOptions?: () => Partial<CallOptions>
  readonly deleteAfterMs?: number
}

async function live(world: World, random: Random, life: Life): Promise<void> {
  const client = await SessionClient.open(world, random)
  if (!client) return
  const listener = random.chance(0.8) ? new StandaloneListener(client, pickManners(random)) : undefined
  const deleted = life.deleteAfterMs === undefined ? undefined : deleteLater(client, life.deleteAfterMs)
  await Promise.all(Array.from({ length: life.lanes }, (_, lane) => callInTurn(client, life, lane)))
  await deleted
  await part(client, listener)
  client.leave()
}

async function deleteLater(client: SessionClient, ms: number): Promise<void> {
  await sleep(ms)
  await client.end()
}

async function callInTurn(client: SessionClient, { pick, callOptions }: Life, lane: number): Promise<void> {
  // Lanes run at the same time, so each has numbers of its own.
  const random = client.random.fork(lane)
  const count = random.int(1, 5)
  for (let i = 0; i < count && !client.isOver && !client.world.stopped.aborted; i++) {
    const script = pick(random, `call ${lane}.${i}`)
    await makeCall(client, script, { manners: pickManners(random), ...callOptions?.() })
    await sleep(random.int(0, 300))
  }
}

async function part(client: SessionClient, listener: StandaloneListener | undefined): Promise<void> {
  if (!client.isOver) {
    const played = await makeCall(client, { call: 'the last', steps: [], answerSize: 0 }, { manners: gentle })
    if (played) await listener?.finish(played.pushed)
    // The other half is left to the idle time.
    if (client.random.chance(0.5)) await client.end()
  }
  await leaveEnded(client, listener)
}

/** A session that was ended ends its streams. */
async function leaveEnded(client: SessionClient, listener: StandaloneListener | undefined): Promise<void> {
  if (!listener) return
  const late = new AbortController()
  if (client.isOver) {
    const timer = setTimeout(() => {
      client.fault('endless', 'The standalone stream goes on after DELETE')
      late.abort()
    }, client.world.hungAfterMs)
    await Promise.race([listener.ended, new Promise((resolve) => late.signal.addEventListener('abort', resolve))])
    clearTimeout(timer)
  }
  listener.leave()
  await listener.ended
}
