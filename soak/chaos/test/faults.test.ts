import { describe, expect, test } from 'vitest'
import { skipsRedis } from '../../../test-support/redis/start-redis.ts'
import { type FaultKind, faultKinds } from '../check/tally.ts'
import type { NemesisName } from '../plan.ts'
import { runChaos } from '../run.ts'

const none = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<FaultKind, number>

/** One fault, once, among a few clients. */
async function meet(nemesis: NemesisName) {
  const faults: string[] = []
  const { tally, recoveries } = await runChaos({
    ...{ seed: 1, runMs: 2_000, nodes: 2, clients: 3, officialClients: 1 },
    plan: [{ nemesis, afterMs: 500, node: 0, strength: 0 }],
    print: () => undefined,
    onFault: (kind, text) => faults.push(`${kind}: ${text}`),
  })
  expect(tally.faults, faults.join('\n')).toEqual(none)
  expect(tally.figures.events).toBeGreaterThan(50)
  return { figures: tally.figures, recoveries }
}

describe.skipIf(skipsRedis())('two nodes on a real Redis', { timeout: 60_000 }, () => {
  test('one is killed in mid-call: its calls have an error, its sessions another owner', async () => {
    const { recoveries } = await meet('kill')
    expect(recoveries).toHaveLength(1)
  })

  test('one stands still past its lease, and goes on', () => meet('stop'))

  test('the connections that listen are cut', () => meet('cut-bus'))

  test('all that Redis has is deleted: clients are told, and begin anew', async () => {
    const { figures } = await meet('flush')
    expect(figures['sessions that were lost']).toBeGreaterThan(0)
  })

  test('Redis is away, and comes back empty', async () => {
    const { figures } = await meet('restart-empty')
    expect(figures['sessions that were lost']).toBeGreaterThan(0)
  })
})
