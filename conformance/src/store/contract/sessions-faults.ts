import { expectEqual, expectThat } from '../../client/expect.ts'
import { delay } from '../../client/waiting.ts'
import { expectRecord, toRecord } from '../records.ts'
import { longMs } from '../store-context.ts'
import { requirementsOf } from '../store-requirement.ts'
import { outageMs } from '../time.ts'

/** Connections that break, and replies that are lost. */
export const sessionsFaults = requirementsOf('sessions', [
  {
    id: 'outage-is-bounded',
    title: 'While the database cannot be reached every method settles in time: none waits for ever.',
    needs: ['faults'],
    async check(context) {
      const { sessions, faults } = context
      const { key } = toRecord()
      await sessions.create(toRecord({ key }), longMs)
      await faults.disconnect()
      await Promise.all([
        context.inTime('get without the database', () => sessions.get(key)),
        context.inTime('create without the database', () => sessions.create(toRecord(), longMs)),
        context.inTime('update without the database', () => sessions.update(key, 1, {}, longMs)),
        context.inTime('takeOver without the database', () =>
          sessions.takeOver(key, { expectedTerm: 1, owner: 'me', ttlMs: longMs }),
        ),
        context.inTime('delete without the database', () => sessions.delete(toRecord().key)),
        context.inTime('list without the database', () => drain(sessions.list())),
      ])
    },
  },
  {
    id: 'outage-is-no-answer',
    title: 'While the database cannot be reached no method says that a record is gone.',
    needs: ['faults'],
    async check(context) {
      const { sessions, faults } = context
      const record = toRecord()
      await sessions.create(record, longMs)
      await faults.disconnect()
      const got = await context.inTime('get without the database', () => sessions.get(record.key))
      const updated = await context.inTime('update without the database', () =>
        sessions.update(record.key, 1, {}, longMs),
      )
      if ('value' in got) expectRecord(got.value, record, 'what get gives without the database, if it does not reject,')
      if ('value' in updated)
        expectEqual(updated.value, true, 'what update gives without the database, if it does not reject,')
    },
  },
  {
    id: 'outage-is-bounded-for-leases',
    title: 'While the database cannot be reached renewLease and hasLease settle in time.',
    needs: ['faults'],
    async check(context) {
      const { sessions, faults } = context
      await sessions.renewLease('node', longMs)
      await faults.disconnect()
      await Promise.all([
        context.inTime('renewLease without the database', () => sessions.renewLease('node', longMs)),
        context.inTime('hasLease without the database', () => sessions.hasLease('node')),
        context.inTime('hasLease of another without the database', () => sessions.hasLease('other')),
      ])
    },
  },
  {
    id: 'outage-says-nothing-of-leases',
    title:
      'While the database cannot be reached nothing says that a lease is over that runs, or that one was renewed which was not.',
    needs: ['faults'],
    async check(context) {
      const { sessions, faults } = context
      await sessions.renewLease('node', longMs)
      await faults.disconnect()
      const [has, renewed] = await Promise.all([
        context.inTime('hasLease without the database', () => sessions.hasLease('node')),
        context.inTime('renewLease without the database', () => sessions.renewLease('other', longMs)),
      ])
      await faults.reconnect()
      const what = 'what hasLease gives without the database, if it does not reject,'
      if ('value' in has) expectEqual(has.value, true, what)
      if ('error' in renewed) return
      const runs = await context.eventually('hasLease', () => sessions.hasLease('other'))
      expectEqual(runs, true, 'hasLease of a node that renewed its lease without the database, which did not reject,')
    },
  },
  {
    id: 'outage-is-survived',
    title: 'When the database can be reached again the store works as before, with what it held.',
    needs: ['faults'],
    async check(context) {
      const { sessions, faults } = context
      const record = toRecord()
      await sessions.create(record, longMs)
      await faults.disconnect()
      await context.inTime('get without the database', () => sessions.get(record.key))
      await faults.reconnect()
      expectRecord(await context.eventually('get', () => sessions.get(record.key)), record, 'the record from get')
      expectEqual(await sessions.update(record.key, 1, { logLevel: 'debug' }, longMs), true, 'update by the owner')
      expectEqual(await sessions.create(toRecord(), longMs), true, 'create')
    },
  },
  {
    id: 'lost-reply-of-create-is-no-refusal',
    title: 'A create whose reply is lost rejects or gives true, never false; repeated, there is one record.',
    needs: ['lost-replies'],
    async check(context) {
      const { sessions, faults } = context
      const record = toRecord()
      await faults.loseNextReply()
      const outcome = await context.inTime('create', () => sessions.create(record, longMs))
      expectThat(
        !('value' in outcome && !outcome.value),
        'Expected create to reject or give true when its reply is lost, got false: by a retry it takes its own record for another',
      )
      await context.eventually('create, repeated,', () => sessions.create(record, longMs))
      expectRecord(await sessions.get(record.key), record, 'the record from get')
      expectEqual((await drain(sessions.list())).length, 1, 'the number of records')
    },
  },
  {
    id: 'lost-reply-of-update-may-be-repeated',
    title: 'An update whose reply is lost gives true when it is repeated.',
    needs: ['lost-replies'],
    async check(context) {
      const { sessions, faults } = context
      const record = toRecord()
      await sessions.create(record, longMs)
      const update = () => sessions.update(record.key, 1, { logLevel: 'debug' }, longMs)
      await faults.loseNextReply()
      const outcome = await context.inTime('update', update)
      const updated = 'value' in outcome ? outcome.value : await context.eventually('update, repeated,', update)
      expectEqual(updated, true, 'update by the owner, repeated after its reply was lost')
      expectRecord(await sessions.get(record.key), { ...record, logLevel: 'debug' }, 'the record from get')
    },
  },
  {
    id: 'lost-reply-of-take-over-may-be-repeated',
    title: 'A takeover whose reply is lost took the record over once, and gives that record when it is repeated.',
    needs: ['lost-replies'],
    async check(context) {
      const { sessions, faults } = context
      const record = toRecord()
      const { key } = record
      await sessions.create(record, longMs)
      const takeOver = () => sessions.takeOver(key, { expectedTerm: 1, owner: 'me', ttlMs: longMs })
      await faults.loseNextReply()
      const outcome = await context.inTime('takeOver', takeOver)
      const taken = 'value' in outcome ? outcome.value : await context.eventually('takeOver, repeated,', takeOver)
      const expected = { ...record, owner: 'me', term: 2 }
      expectRecord(taken, expected, 'the record from takeOver, repeated if it rejected')
      expectRecord(await sessions.get(key), expected, 'the record from get')
      expectEqual(await sessions.update(key, 2, {}, longMs), true, 'update with the term from takeOver')
    },
  },
  {
    id: 'owner-cut-off-is-fenced',
    title: 'An owner that was cut off while another took over is refused, whatever it had under way.',
    needs: ['faults', 'second'],
    async check(context) {
      const { sessions, faults } = context
      const second = await context.second()
      const record = toRecord()
      await sessions.create(record, longMs)
      await faults.disconnect()
      await second.sessions.takeOver(record.key, { expectedTerm: 1, owner: 'other', ttlMs: longMs })
      const underWay = context.inTime('update by the old owner', () =>
        sessions.update(record.key, 1, { logLevel: 'error' }, longMs),
      )
      await delay(outageMs)
      await faults.reconnect()
      const outcome = await underWay
      expectThat(
        !('value' in outcome && outcome.value),
        'Expected update by the old owner to reject or give false, got true',
      )
      const late = await context.eventually('update', () =>
        sessions.update(record.key, 1, { logLevel: 'error' }, longMs),
      )
      expectEqual(late, false, 'update by the old owner')
      const expected = { ...record, owner: 'other', term: 2 }
      expectRecord(await second.sessions.get(record.key), expected, 'the record from get')
    },
  },
])

async function drain<T>(items: AsyncIterable<T> | Iterable<T>): Promise<T[]> {
  const drained: T[] = []
  for await (const item of items) drained.push(item)
  return drained
}
