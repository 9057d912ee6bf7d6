import { expectEqual, expectThat, fail } from '../../client/expect.ts'
import { delay } from '../../client/waiting.ts'
import { hostileNames, similarNames } from '../hostile-names.ts'
import { createKey, expectNothing, expectRecord, toRecord } from '../records.ts'
import { longMs, type StoreContext } from '../store-context.ts'
import { requirementsOf } from '../store-requirement.ts'
import { mustLive, shortTtl, timed, waitForEnd, withTtl } from '../time.ts'

/** Leases of nodes, and what they keep others from. */
export const sessionsLeases = requirementsOf('sessions', [
  {
    id: 'unknown-node-has-no-lease',
    title: 'A node that never renewed its lease has none, also while others have theirs.',
    async check({ sessions }) {
      expectEqual(await sessions.hasLease('node'), false, 'hasLease of a node, when none has a lease,')
      await sessions.renewLease('other', longMs)
      expectEqual(await sessions.hasLease('node'), false, 'hasLease of a node, when another has a lease,')
      await sessions.renewLease('node', 0)
      expectEqual(await sessions.hasLease('node'), false, 'hasLease of a node whose lease was ended unbegun')
    },
  },
  {
    id: 'lease-runs-for-its-time',
    title: 'A lease runs for the whole of its leaseMs.',
    async check(context) {
      await withTtl(context, async (ttlMs) => {
        const leaseMs = 2 * ttlMs
        const node = createKey()
        const { span } = await timed(() => context.sessions.renewLease(node, leaseMs))
        let lastSeen = span.from
        for (; ; await delay(ttlMs / 10)) {
          const runs = await context.sessions.hasLease(node)
          // Near enough to its end?
          if (!mustLive(context, span, leaseMs)) return lastSeen > span.from + 0.6 * leaseMs
          lastSeen = performance.now()
          const age = Math.round(lastSeen - span.from)
          if (!runs) fail(`Expected the lease to run for ${leaseMs} ms, it is over after ${age} ms`)
        }
      })
    },
  },
  {
    id: 'lease-runs-out',
    title: 'A lease that is not renewed is over at the end of its leaseMs.',
    async check(context) {
      const leaseMs = shortTtl(context)
      const { span } = await timed(() => context.sessions.renewLease('node', leaseMs))
      await waitForEnd(context, span, leaseMs)
      expectEqual(await context.sessions.hasLease('node'), false, 'hasLease after the leaseMs')
    },
  },
  {
    id: 'renewal-prolongs-the-lease',
    title: 'A lease that is renewed while it runs goes on for the leaseMs of the renewal.',
    async check(context) {
      const { sessions } = context
      await withTtl(context, async (ttlMs) => {
        const node = createKey()
        const { span } = await timed(() => sessions.renewLease(node, ttlMs))
        await sessions.renewLease(node, longMs)
        if (!mustLive(context, span, ttlMs)) return false
        await waitForEnd(context, span, ttlMs)
        expectEqual(await sessions.hasLease(node), true, 'hasLease after the leaseMs before the renewal')
        return true
      })
    },
  },
  {
    id: 'renewal-counts-from-now',
    title: 'Only the last renewal counts, from when it was made, also where the lease is over sooner by that.',
    async check(context) {
      const leaseMs = shortTtl(context)
      await context.sessions.renewLease('node', longMs)
      const { span } = await timed(() => context.sessions.renewLease('node', leaseMs))
      await waitForEnd(context, span, leaseMs)
      expectEqual(await context.sessions.hasLease('node'), false, 'hasLease after the leaseMs of the last renewal')
    },
  },
  {
    id: 'renewal-with-zero-ends-the-lease',
    title: 'Renewed with 0 a lease is over at once, and it can be begun anew.',
    async check({ sessions }) {
      for (let round = 1; round <= 2; round++) {
        await sessions.renewLease('node', longMs)
        expectEqual(await sessions.hasLease('node'), true, 'hasLease')
        await sessions.renewLease('node', 0)
        expectEqual(await sessions.hasLease('node'), false, 'hasLease after renewLease with 0')
      }
    },
  },
  {
    id: 'renewal-tells-whether-the-lease-ran',
    title: 'A renewal gives `true` while the lease runs, and `false` when it is the first or the lease was over.',
    async check(context) {
      const { sessions } = context
      const leaseMs = shortTtl(context)
      expectEqual(await sessions.renewLease('node', longMs), false, 'the outcome of the first renewal')
      expectEqual(await sessions.renewLease('other', longMs), false, "the outcome of another node's first renewal")
      expectEqual(await sessions.renewLease('node', longMs), true, 'the outcome of a renewal while the lease runs')
      await sessions.renewLease('node', 0)
      const renewed = await timed(() => sessions.renewLease('node', leaseMs))
      expectEqual(renewed.result, false, 'the outcome of a renewal after the lease was ended with 0')
      await waitForEnd(context, renewed.span, leaseMs)
      expectEqual(await sessions.renewLease('node', longMs), false, 'the outcome of a renewal after the leaseMs')
    },
  },
  {
    id: 'nodes-are-opaque',
    title: 'Names of nodes that mean something to a database, a glob or an object are names like others.',
    async check(context) {
      await expectApart(context, hostileNames)
    },
  },
  {
    id: 'nodes-are-told-apart',
    title:
      'Nodes whose names differ in case, in white space, in how a letter is composed or only at the end have leases of their own.',
    async check(context) {
      await expectApart(context, similarNames)
    },
  },
  {
    id: 'leases-are-no-records',
    title: "A lease is not listed, not read by the node's name, and stays when a record of that name is deleted.",
    async check({ sessions }) {
      await sessions.renewLease('node', longMs)
      for await (const record of sessions.list()) fail(`Expected no records, list gives ${JSON.stringify(record)}`)
      expectNothing(await sessions.get('node'), 'get of the name of a node')
      const record = toRecord({ key: 'node' })
      expectEqual(await sessions.create(record, longMs), true, 'create with the name of a node as its key')
      expectRecord(await sessions.get('node'), record, 'the record from get')
      expectEqual(await sessions.delete('node'), true, 'delete of the record')
      expectEqual(await sessions.hasLease('node'), true, 'hasLease after delete of the record')
    },
  },
  {
    id: 'lease-is-seen-by-every-node',
    title: 'A lease that one node began or ended the other sees at once.',
    needs: ['second'],
    async check(context) {
      const { sessions } = context
      const second = await context.second()
      await sessions.renewLease('node', 0)
      expectEqual(await second.sessions.hasLease('node'), false, 'hasLease on the other node before it begins')
      await sessions.renewLease('node', longMs)
      expectEqual(await second.sessions.hasLease('node'), true, 'hasLease on the other node')
      await second.sessions.renewLease('node', 0)
      expectEqual(await sessions.hasLease('node'), false, 'hasLease of a lease that was ended elsewhere')
    },
  },
  {
    id: 'neighbour-has-leases-of-its-own',
    title: 'A node of another deployment in the same database has a lease of its own under the same name.',
    needs: ['neighbour'],
    async check(context) {
      const neighbour = await context.neighbour()
      await context.sessions.renewLease('first', longMs)
      expectEqual(await neighbour.sessions.hasLease('first'), false, 'hasLease in another deployment')
      const record = toRecord({ owner: 'first' })
      await neighbour.sessions.create(record, longMs)
      const taken = await neighbour.sessions.takeOver(record.key, { expectedTerm: 1, owner: 'other', ttlMs: longMs })
      expectEqual(taken?.owner, 'other', 'the owner after takeOver in another deployment')
      await neighbour.sessions.renewLease('first', 0)
      expectEqual(await context.sessions.hasLease('first'), true, 'hasLease after it was ended in another deployment')
    },
  },
  {
    id: 'take-over-is-refused-while-the-lease-runs',
    title: 'While the lease of the owner runs takeOver by another changes nothing and gives the record as it is.',
    async check(context) {
      const [one, other] = await context.nodes()
      const record = toRecord({ owner: 'first', logLevel: 'debug' })
      await one.sessions.create(record, longMs)
      await one.sessions.renewLease('first', longMs)
      for (const owner of ['other', 'firs', 'First']) {
        const given = await other.sessions.takeOver(record.key, { expectedTerm: 1, owner, ttlMs: longMs })
        expectRecord(given, record, `the record from takeOver by ${owner}`)
      }
      expectRecord(await one.sessions.get(record.key), record, 'the record from get')
      expectEqual(await one.sessions.update(record.key, 1, {}, longMs), true, 'update by the owner')
    },
  },
  {
    id: 'take-over-succeeds-once-the-lease-is-over',
    title: 'TakeOver succeeds when the lease of the owner was ended, and when it ran out.',
    async check(context) {
      const { sessions } = context
      const [ended, ranOut] = [toRecord({ owner: 'ended' }), toRecord({ owner: 'ran out' })]
      for (const record of [ended, ranOut]) await sessions.create(record, longMs)
      await sessions.renewLease('ended', longMs)
      await sessions.renewLease('ended', 0)
      await expectTaken(context, ended)
      const leaseMs = shortTtl(context)
      const { span } = await timed(() => sessions.renewLease('ran out', leaseMs))
      await waitForEnd(context, span, leaseMs)
      await expectTaken(context, ranOut)
    },
  },
  {
    id: 'own-lease-does-not-hinder-take-over',
    title: 'TakeOver by the node that is the owner already succeeds while its lease runs.',
    async check(context) {
      const record = toRecord({ owner: 'first' })
      await context.sessions.create(record, longMs)
      await context.sessions.renewLease('first', longMs)
      await expectTaken(context, record, 'first')
    },
  },
  {
    id: 'leases-of-others-do-not-hinder-take-over',
    title: 'TakeOver from a node that never had a lease succeeds, whoever else has one.',
    async check(context) {
      const record = toRecord({ owner: 'first' })
      await context.sessions.create(record, longMs)
      for (const node of ['other', 'third', 'firs', 'first ']) await context.sessions.renewLease(node, longMs)
      await expectTaken(context, record)
    },
  },
  {
    id: 'given-up-is-taken-over',
    title: 'TakeOver of a session that its owner gave up succeeds while the lease of that runs.',
    async check(context) {
      const record = toRecord({ owner: 'first' })
      await context.sessions.create(record, longMs)
      await context.sessions.renewLease('first', longMs)
      await context.sessions.update(record.key, 1, { owner: '' }, longMs)
      await expectTaken(context, record)
    },
  },
])

/** One node more takes the record over. */
async function expectTaken({ sessions }: StoreContext, record: ReturnType<typeof toRecord>, owner = 'other') {
  const taken = { ...record, owner, term: record.term + 1 }
  const given = await sessions.takeOver(record.key, { expectedTerm: record.term, owner, ttlMs: longMs })
  expectRecord(given, taken, `the record from takeOver by ${owner}`)
  expectRecord(await sessions.get(record.key), taken, 'the record from get')
}

/** Each name is a node of its own, also when the leases of others are ended. */
async function expectApart({ sessions }: StoreContext, nodes: readonly string[]): Promise<void> {
  for (const node of nodes) await sessions.renewLease(node, longMs)
  for (const node of nodes.filter((_, i) => i % 2 === 0)) await sessions.renewLease(node, 0)
  for (const [i, node] of nodes.entries()) {
    const runs = i % 2 === 1
    const what = `${JSON.stringify(node.slice(0, 40))}, whose lease ${runs ? 'runs' : 'was ended'}`
    expectThat((await sessions.hasLease(node)) === runs, `Expected hasLease to be ${runs} of the node ${what}`)
  }
}
