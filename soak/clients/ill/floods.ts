import type { Random } from '../../random.ts'
import { makeCall } from '../call.ts'
import { gentle } from '../manners.ts'
import { pickSmallScript } from '../scripts.ts'
import { SessionClient } from '../session-client.ts'
import type { World } from '../world.ts'

/** Many calls at the same moment. Each is to be answered. */
export async function floodingWithCalls(world: World, random: Random): Promise<void> {
  const client = await SessionClient.open(world, random)
  if (!client) return
  const count = random.int(20, 120)
  const calls = Array.from({ length: count }, (_, i) =>
    makeCall(client, pickSmallScript(random, `flood ${i}`), { manners: gentle }),
  )
  await Promise.all(calls)
  client.leave()
}

/**
 * Many notifications at the same moment, for calls that never were too. Each is taken, and calls are answered all the
 * same.
 */
export async function floodingWithNotifications(world: World, random: Random): Promise<void> {
  const client = await SessionClient.open(world, random)
  if (!client) return
  const told = Array.from({ length: random.int(50, 300) }, (_, i) =>
    client.tell(pickNotification(random), `flood ${i}`),
  )
  const call = makeCall(client, pickSmallScript(random, 'in the flood'), { manners: gentle })
  await Promise.all([...told, call])
  client.leave()
}

function pickNotification(random: Random): object {
  return random.pick([
    { method: 'notifications/initialized' },
    { method: 'notifications/roots/list_changed' },
    { method: 'notifications/progress', params: { progressToken: random.int(0, 1e6), progress: 1 } },
    { method: 'notifications/cancelled', params: { requestId: `never-called-${random.int(0, 1e6)}` } },
    { method: 'notifications/unheard-of', params: { filler: 'x'.repeat(random.int(0, 10_000)) } },
  ])
}
