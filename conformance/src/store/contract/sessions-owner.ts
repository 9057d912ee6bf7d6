import { expectEqual, expectThat } from '../../client/expect.ts'
import type { SessionChanges } from '../contract-types.ts'
import { expectRecord, expectSame, toRecord } from '../records.ts'
import { longMs } from '../store-context.ts'
import { requirementsOf } from '../store-requirement.ts'

/** Changing records and taking them over. */
export const sessionsOwner = requirementsOf('sessions', [
  {
    id: 'update-changes-only-what-it-names',
    title: 'Update changes the fields it is given and leaves the others.',
    async check({ sessions }) {
      let expected = toRecord({ owner: 'me' })
      await sessions.create(expected, longMs)
      const steps: SessionChanges[] = [
        { logLevel: 'debug' },
        { subscriptions: ['file:///a', 'file:///ü'] },
        { initialized: true },
        { logLevel: 'error', subscriptions: ['file:///b'] },
      ]
      for (const changes of steps) {
        expected = { ...expected, ...changes }
        expectEqual(await sessions.update(expected.key, 1, changes, longMs), true, 'update by the owner')
        expectRecord(await sessions.get(expected.key), expected, `the record after ${JSON.stringify(changes)}`)
      }
    },
  },
  {
    id: 'update-can-clear',
    title: 'Update to null, to an empty list or to false takes effect.',
    async check({ sessions }) {
      const record = toRecord({ initialized: true, logLevel: 'debug', subscriptions: ['file:///a'] })
      await sessions.create(record, longMs)
      const changes = { initialized: false, logLevel: null, subscriptions: [] }
      expectEqual(await sessions.update(record.key, 1, changes, longMs), true, 'update by the owner')
      expectRecord(await sessions.get(record.key), { ...record, ...changes }, 'the record from get')
    },
  },
  {
    id: 'update-can-give-up-ownership',
    title: 'Update to no owner is read back as that, and an update of something else leaves the owner as it is.',
    async check({ sessions }) {
      const record = toRecord({ owner: 'me' })
      await sessions.create(record, longMs)
      expectEqual(await sessions.update(record.key, 1, { owner: '' }, longMs), true, 'update by the owner')
      expectRecord(await sessions.get(record.key), { ...record, owner: '' }, 'the record that was given up')
      expectEqual(await sessions.update(record.key, 1, { initialized: true }, longMs), true, 'update after that')
      const expected = { ...record, owner: '', initialized: true }
      expectRecord(await sessions.get(record.key), expected, 'the record after an update of something else')
    },
  },
  {
    id: 'update-without-changes-is-accepted',
    title: 'Update with no changes gives true and leaves the record as it is.',
    async check({ sessions }) {
      const record = toRecord({ logLevel: 'debug' })
      await sessions.create(record, longMs)
      expectEqual(await sessions.update(record.key, 1, {}, longMs), true, 'update without changes')
      expectRecord(await sessions.get(record.key), record, 'the record from get')
    },
  },
  {
    id: 'update-of-another-term-is-refused',
    title: 'Update with a lower or a higher term than the record has gives false and changes nothing.',
    async check({ sessions }) {
      const record = toRecord({ term: 5 })
      await sessions.create(record, longMs)
      for (const term of [4, 6, 1, 0, 50]) {
        const updated = await sessions.update(record.key, term, { logLevel: 'debug' }, longMs)
        expectEqual(updated, false, `update with term ${term} of a record with term 5`)
      }
      expectRecord(await sessions.get(record.key), record, 'the record from get')
    },
  },
  {
    id: 'updates-at-once-all-count',
    title: 'Of three updates of different fields at once none is lost.',
    async check(context) {
      const [one, other] = await context.nodes()
      const changed = { initialized: true, logLevel: 'debug', subscriptions: ['file:///a'] }
      for (let round = 0; round < 10; round++) {
        const record = toRecord()
        await context.sessions.create(record, longMs)
        const updated = await Promise.all([
          one.sessions.update(record.key, 1, { initialized: true }, longMs),
          other.sessions.update(record.key, 1, { logLevel: 'debug' }, longMs),
          one.sessions.update(record.key, 1, { subscriptions: ['file:///a'] }, longMs),
        ])
        expectSame(updated, [true, true, true], 'what the updates gave')
        expectRecord(await context.sessions.get(record.key), { ...record, ...changed }, 'the record after all three')
      }
    },
  },
  {
    id: 'take-over-gives-the-next-term',
    title:
      'TakeOver makes the caller the owner with the next term, keeps all else, and returns the record as it is now.',
    async check({ sessions }) {
      const record = toRecord({ term: 9, initialized: true, logLevel: 'debug', subscriptions: ['file:///a'] })
      await sessions.create(record, longMs)
      for (const [owner, term] of [
        ['b', 10],
        ['a', 11],
        ['a', 12],
      ] as const) {
        const expected = { ...record, owner, term }
        const taking = { expectedTerm: term - 1, owner, ttlMs: longMs }
        expectRecord(await sessions.takeOver(record.key, taking), expected, 'the record from takeOver')
        expectRecord(await sessions.get(record.key), expected, 'the record from get')
      }
    },
  },
  {
    id: 'take-over-is-atomic',
    title: 'Of 50 takeovers of one term at once one succeeds, and all give its record.',
    async check(context) {
      const nodes = await context.nodes()
      const { key } = toRecord()
      await context.sessions.create(toRecord({ key }), longMs)
      const taken = await Promise.all(
        Array.from({ length: 50 }, (_, i) => {
          const taking = { expectedTerm: 1, owner: `node ${i}`, ttlMs: longMs }
          return nodes[(i % 2) as 0 | 1].sessions.takeOver(key, taking)
        }),
      )
      const record = await context.sessions.get(key)
      expectEqual(record?.term, 2, 'the term of the record after 50 takeovers of term 1')
      for (const [i, each] of taken.entries()) {
        expectRecord(each, record ?? toRecord(), `the record that takeover ${i + 1} of 50 at once gave`)
      }
    },
  },
  {
    id: 'take-over-of-another-term-is-refused',
    title: 'TakeOver that expects a lower or a higher term changes nothing and gives the record as it is.',
    async check({ sessions }) {
      const record = toRecord({ term: 5 })
      await sessions.create(record, longMs)
      for (const expectedTerm of [4, 6, 1, 0, 50]) {
        const given = await sessions.takeOver(record.key, { expectedTerm, owner: 'other', ttlMs: longMs })
        expectRecord(given, record, `the record from takeOver that expected term ${expectedTerm} of 5`)
      }
      expectRecord(await sessions.get(record.key), record, 'the record from get')
    },
  },
  {
    id: 'take-over-may-be-repeated',
    title: 'The same takeOver made again, as after a lost reply, gives the same record again.',
    async check({ sessions }) {
      const record = toRecord()
      await sessions.create(record, longMs)
      const taken = { ...record, owner: 'other', term: 2 }
      for (const time of ['first', 'second', 'third']) {
        const given = await sessions.takeOver(record.key, { expectedTerm: 1, owner: 'other', ttlMs: longMs })
        expectRecord(given, taken, `the record from the ${time} takeOver`)
        expectRecord(await sessions.get(record.key), taken, `the record from get after the ${time} takeOver`)
      }
    },
  },
  {
    id: 'old-owner-is-refused',
    title: 'After a takeover updates with the old term are refused, those with the new one accepted.',
    async check(context) {
      const [one, other] = await context.nodes()
      const record = toRecord()
      await one.sessions.create(record, longMs)
      const taken = await other.sessions.takeOver(record.key, { expectedTerm: 1, owner: 'other', ttlMs: longMs })
      const late = await one.sessions.update(record.key, 1, { logLevel: 'error' }, longMs)
      expectEqual(late, false, 'update by the old owner')
      const updated = await other.sessions.update(record.key, taken?.term ?? 0, { logLevel: 'debug' }, longMs)
      expectEqual(updated, true, 'update by the new owner')
      const expected = { ...record, owner: 'other', term: 2, logLevel: 'debug' }
      expectRecord(await one.sessions.get(record.key), expected, 'the record from get')
    },
  },
  {
    id: 'take-over-loses-no-update',
    title:
      'An update at the same time as a takeover either gives true and is kept, or gives false and changed nothing.',
    async check(context) {
      const [one, other] = await context.nodes()
      for (let round = 0; round < 20; round++) {
        const record = toRecord()
        await context.sessions.create(record, longMs)
        const takingOver =
          round % 2 === 0
            ? other.sessions.takeOver(record.key, { expectedTerm: 1, owner: 'other', ttlMs: longMs })
            : undefined
        const updating = one.sessions.update(record.key, 1, { logLevel: 'debug' }, longMs)
        const takingOverLater =
          takingOver ?? other.sessions.takeOver(record.key, { expectedTerm: 1, owner: 'other', ttlMs: longMs })
        const [updated] = await Promise.all([updating, takingOverLater])
        const expected = { ...record, owner: 'other', term: 2, logLevel: updated ? 'debug' : null }
        expectRecord(
          await context.sessions.get(record.key),
          expected,
          `the record after an update that gave ${updated}`,
        )
      }
    },
  },
  {
    id: 'is-seen-by-every-node',
    title: 'What one node created, changed or deleted the other sees at once.',
    needs: ['second'],
    async check(context) {
      const { sessions } = context
      const second = await context.second()
      const record = toRecord()
      await sessions.create(record, longMs)
      expectRecord(await second.sessions.get(record.key), record, 'the record on the other node')
      await second.sessions.update(record.key, 1, { logLevel: 'debug' }, longMs)
      expectRecord(await sessions.get(record.key), { ...record, logLevel: 'debug' }, 'the record, updated elsewhere')
      await second.sessions.takeOver(record.key, { expectedTerm: 1, owner: 'other', ttlMs: longMs })
      expectEqual((await sessions.get(record.key))?.term, 2, 'the term of the record, taken over elsewhere')
      expectEqual(await second.sessions.delete(record.key), true, 'delete on the other node')
      expectThat((await sessions.get(record.key)) === undefined, 'Expected a record deleted elsewhere to be gone')
    },
  },
])
