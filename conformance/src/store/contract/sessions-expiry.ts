import { expectEqual, expectThat, fail } from '../../client/expect.ts'
import { delay } from '../../client/waiting.ts'
import type { SessionRecord } from '../contract-types.ts'
import { createKey, expectNothing, expectRecord, toRecord } from '../records.ts'
import { longMs, type StoreContext } from '../store-context.ts'
import { requirementsOf } from '../store-requirement.ts'
import { mustLive, shortTtl, timed, waitForEnd, withTtl } from '../time.ts'

/** When records go, and what keeps them. */
export const sessionsExpiry = requirementsOf('sessions', [
  {
    id: 'record-lives-for-its-ttl',
    title: 'A record is there for the whole of its ttlMs.',
    async check(context) {
      await withTtl(context, async (ttlMs) => {
        const { key } = toRecord()
        const { span } = await timed(() => context.sessions.create(toRecord({ key }), 3 * ttlMs))
        let lastSeen = span.from
        for (; ; await delay(ttlMs / 10)) {
          const found = await context.sessions.get(key)
          // Near enough to its end?
          if (!mustLive(context, span, 3 * ttlMs)) return lastSeen > span.from + 2 * ttlMs
          lastSeen = performance.now()
          const age = Math.round(lastSeen - span.from)
          if (!found) fail(`Expected the record to live for ${3 * ttlMs} ms, it is gone after ${age} ms`)
        }
      })
    },
  },
  {
    id: 'get-does-not-prolong',
    title: 'A record that is only read is gone at the end of its ttlMs.',
    async check(context) {
      const { sessions, ttlToleranceMs } = context
      await withTtl(context, async (ttlMs) => {
        const { key } = toRecord()
        const { span } = await timed(() => sessions.create(toRecord({ key }), ttlMs))
        for (let before = span.from; ; await delay(ttlMs / 10)) {
          const asked = performance.now()
          // Between two looks so far apart it would be gone even if the first had prolonged it.
          const isPointless = asked - before > ttlMs - ttlToleranceMs
          if ((await sessions.get(key)) === undefined) return !isPointless
          before = asked
          const late = Math.round(asked - span.to - ttlMs)
          expectThat(late <= ttlToleranceMs, `Expected the record to be gone, get gives it ${late} ms too late`)
        }
      })
    },
  },
  {
    id: 'expired-is-not-read',
    title: 'Get of an expired record gives undefined.',
    async check(context) {
      const { key } = await createExpired(context)
      expectNothing(await context.sessions.get(key), 'get of an expired record')
    },
  },
  {
    id: 'expired-is-not-updated',
    title: 'Update of an expired record gives false and does not bring it back.',
    async check(context) {
      const { key } = await createExpired(context)
      expectEqual(await context.sessions.update(key, 1, {}, longMs), false, 'update of an expired record')
      expectNothing(await context.sessions.get(key), 'get after update of an expired record')
    },
  },
  {
    id: 'expired-is-not-taken-over',
    title: 'TakeOver of an expired record gives undefined and does not bring it back.',
    async check(context) {
      const { key } = await createExpired(context)
      expectNothing(
        await context.sessions.takeOver(key, { expectedTerm: 1, owner: 'other', ttlMs: longMs }),
        'takeOver of an expired record',
      )
      expectNothing(await context.sessions.get(key), 'get after takeOver of an expired record')
    },
  },
  {
    id: 'expired-is-not-listed',
    title: 'List skips expired records, and gives those beside them.',
    async check(context) {
      const { key } = await createExpired(context)
      const listed: string[] = []
      for await (const record of context.sessions.list()) listed.push(record.key)
      expectEqual(listed.includes(key), false, 'whether list gives an expired record')
      expectEqual(listed.length, 2, 'the number of records listed')
    },
  },
  {
    id: 'expired-is-not-there-to-delete',
    title: 'Delete of an expired record gives false.',
    async check(context) {
      const { key } = await createExpired(context)
      expectEqual(await context.sessions.delete(key, 1), false, 'delete of an expired record with its term')
      expectEqual(await context.sessions.delete(key), false, 'delete of an expired record')
    },
  },
  {
    id: 'expired-can-be-created-anew',
    title:
      'The key of an expired record can be created again, for a whole ttlMs, and nothing of the old record comes back.',
    async check(context) {
      const { key } = await createExpired(context)
      const anew = toRecord({ key })
      expectEqual(await context.sessions.create(anew, longMs), true, 'create of an expired key')
      expectRecord(await context.sessions.get(key), anew, 'the new record')
    },
  },
  {
    id: 'update-prolongs',
    title: 'Update lets the record live for its ttlMs from now, also when it changes nothing.',
    async check(context) {
      await expectProlonged(context, ({ key }) => context.sessions.update(key, 1, {}, longMs))
    },
  },
  {
    id: 'take-over-prolongs',
    title: 'TakeOver lets the record live for its ttlMs from now.',
    async check(context) {
      await expectProlonged(context, async ({ key }) =>
        Boolean(await context.sessions.takeOver(key, { expectedTerm: 1, owner: 'other', ttlMs: longMs })),
      )
    },
  },
  {
    id: 'refused-update-does-not-prolong',
    title: 'An update with another term does not keep the record alive.',
    async check(context) {
      await expectNotProlonged(context, ({ key }) => context.sessions.update(key, 2, {}, longMs))
    },
  },
  {
    id: 'refused-take-over-does-not-prolong',
    title: 'A takeOver that is refused, for its term or for a lease that runs, does not keep the record alive.',
    async check(context) {
      const { sessions } = context
      await expectNotProlonged(context, async ({ key, term, owner }) => {
        await sessions.renewLease(owner, 0)
        const ofAnotherTerm = await sessions.takeOver(key, { expectedTerm: term + 1, owner: 'other', ttlMs: longMs })
        await sessions.renewLease(owner, longMs)
        const ofALease = await sessions.takeOver(key, { expectedTerm: term, owner: 'other', ttlMs: longMs })
        return [ofAnotherTerm, ofALease].some((given) => given?.owner === 'other')
      })
    },
  },
  {
    id: 'refused-create-does-not-prolong',
    title: 'A create of a key that exists does not keep the record alive.',
    async check(context) {
      await expectNotProlonged(context, (record) => context.sessions.create(record, longMs))
    },
  },
])

/** A record whose time is over, among others that live on: an older one and a younger one. */
async function createExpired(context: StoreContext): Promise<SessionRecord> {
  const { sessions } = context
  const record = toRecord({ key: createKey(), logLevel: 'debug', subscriptions: ['file:///a'] })
  const ttlMs = shortTtl(context)
  await sessions.create(toRecord(), longMs)
  const { span } = await timed(() => sessions.create(record, ttlMs))
  await sessions.create(toRecord(), longMs)
  await waitForEnd(context, span, ttlMs)
  return record
}

type Touch = (record: SessionRecord) => boolean | PromiseLike<boolean>

async function expectProlonged(context: StoreContext, touch: Touch): Promise<void> {
  await withTtl(context, async (ttlMs) => {
    const record = toRecord()
    const { span } = await timed(() => context.sessions.create(record, ttlMs))
    const accepted = await touch(record)
    if (!mustLive(context, span, ttlMs)) return false
    expectEqual(accepted, true, 'whether the call on a live record was accepted')
    await waitForEnd(context, span, ttlMs)
    const found = await context.sessions.get(record.key)
    expectThat(found !== undefined, 'Expected the record to live on after the ttlMs of its create, it is gone')
    return true
  })
}

async function expectNotProlonged(context: StoreContext, touch: Touch): Promise<void> {
  await withTtl(context, async (ttlMs) => {
    const record = toRecord()
    const { span } = await timed(() => context.sessions.create(record, ttlMs))
    const accepted = await touch(record)
    if (!mustLive(context, span, ttlMs)) return false
    expectEqual(accepted, false, 'whether the call was accepted')
    await waitForEnd(context, span, ttlMs)
    expectNothing(await context.sessions.get(record.key), 'get at the end of the ttlMs of create')
    return true
  })
}
