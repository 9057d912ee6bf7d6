import { expectEqual, expectThat, fail } from '../../client/expect.ts'
import type { SessionRecord, SessionStore } from '../contract-types.ts'
import { expectRecord, expectSame, toRecord } from '../records.ts'
import { longMs, type StoreContext } from '../store-context.ts'
import { requirementsOf } from '../store-requirement.ts'

/** Going through all records, and whose they are. */
export const sessionsList = requirementsOf('sessions', [
  {
    id: 'list-begins-empty',
    title: 'List of a store without records gives none.',
    async check({ sessions }) {
      expectSame(await keysOf(sessions), [], 'the keys of a new store')
    },
  },
  {
    id: 'list-gives-every-record',
    title: 'List gives each of 1,000 records once, whole.',
    async check(context) {
      const records = await createMany(context, 1_000)
      const missing = new Map(records.map((record) => [record.key, record]))
      for await (const listed of context.sessions.list()) {
        const expected =
          missing.get(listed.key) ?? fail(`Expected each record once, got ${listed.key} again or unasked`)
        expectRecord(listed, expected, 'a record from list')
        missing.delete(listed.key)
      }
      expectEqual(missing.size, 0, 'the number of records that list did not give')
    },
  },
  {
    id: 'list-gives-records-as-they-are',
    title: 'List gives what was changed, and leaves out what was deleted.',
    async check(context) {
      const { sessions } = context
      const [changed, deleted] = await createMany(context, 2)
      await sessions.update(changed?.key ?? '', 1, { logLevel: 'debug' }, longMs)
      await sessions.delete(deleted?.key ?? '')
      const listed: SessionRecord[] = []
      for await (const record of sessions.list()) listed.push(record)
      expectEqual(listed.length, 1, 'the number of records')
      expectRecord(listed[0], { ...toRecord(), ...changed, logLevel: 'debug' }, 'the record from list')
    },
  },
  {
    id: 'list-withstands-changes',
    title: 'List ends, and gives each record that stays once, while records are updated, deleted and created.',
    async check(context) {
      const { sessions } = context
      const records = await createMany(context, 50)
      const listed = new Map<string, number>()
      let comesOrGoes = ''
      for await (const { key, term } of sessions.list()) {
        const times = (listed.get(key) ?? 0) + 1
        expectEqual(times, 1, 'how often list gives a record that is updated meanwhile')
        listed.set(key, times)
        await sessions.update(key, term, { initialized: true }, longMs)
        if (listed.size !== 5) continue
        comesOrGoes = records.find((record) => !listed.has(record.key))?.key ?? ''
        await sessions.delete(comesOrGoes)
        await sessions.create(toRecord(), longMs)
      }
      const missing = records.filter(({ key }) => key !== comesOrGoes && !listed.has(key))
      expectEqual(missing.length, 0, 'the number of records that stayed and were not listed')
    },
  },
  {
    id: 'list-may-be-left-early',
    title: 'Leaving list after the first record holds nothing: the store works as before.',
    async check(context) {
      const { sessions } = context
      const [record] = await createMany(context, 50)
      for (let i = 1; i <= 30; i++) {
        const outcome = await context.inTime(`list, left early ${i - 1} times`, () => findFirst(sessions))
        expectThat('value' in outcome, `Expected list to work after it was left early ${i - 1} times, it rejects`)
      }
      const { key } = record ?? toRecord()
      const outcome = await context.inTime('get after leaving list 30 times', () => sessions.get(key))
      expectThat('value' in outcome, 'Expected get to work after list was left early, it rejects')
    },
  },
  {
    id: 'neighbour-is-apart',
    title: 'Another deployment in the same database has its own records under the same keys.',
    needs: ['neighbour'],
    async check(context) {
      const { sessions } = context
      const neighbour = await context.neighbour()
      const record = toRecord()
      await sessions.create(record, longMs)
      expectEqual(await neighbour.sessions.get(record.key), undefined, 'the record of another deployment')
      expectSame(await keysOf(neighbour.sessions), [], 'the keys that another deployment lists')
      expectEqual(await neighbour.sessions.create(record, longMs), true, 'create of the same key there')
      expectEqual(await neighbour.sessions.delete(record.key), true, 'delete of the same key there')
      expectSame(await keysOf(sessions), [record.key], 'the keys that the first deployment lists')
    },
  },
  {
    id: 'is-in-the-database',
    title: 'When create has settled, the record is in the database; when delete has, nothing of it is left.',
    needs: ['oracle'],
    async check({ sessions, oracle }) {
      const { key } = toRecord()
      expectEqual(await oracle.hasSession(key), false, 'whether the database has the record before create')
      await sessions.create(toRecord({ key }), longMs)
      expectEqual(await oracle.hasSession(key), true, 'whether the database has the record after create')
      await sessions.delete(key)
      expectEqual(await oracle.hasSession(key), false, 'whether the database has the record after delete')
    },
  },
])

async function createMany({ sessions }: StoreContext, count: number): Promise<SessionRecord[]> {
  const records = Array.from({ length: count }, (_, i) => toRecord({ owner: `node ${i}` }))
  for (let i = 0; i < count; i += 100) {
    await Promise.all(records.slice(i, i + 100).map((record) => sessions.create(record, longMs)))
  }
  return records
}

async function keysOf(sessions: SessionStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of sessions.list()) keys.push(key)
  return keys
}

async function findFirst(sessions: SessionStore): Promise<SessionRecord | undefined> {
  for await (const record of sessions.list()) return record
  return undefined
}
