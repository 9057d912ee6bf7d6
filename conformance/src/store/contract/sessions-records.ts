import { expectEqual, expectThat } from '../../client/expect.ts'
import { hostileNames, similarNames } from '../hostile-names.ts'
import { createKey, expectNothing, expectRecord, toRecord } from '../records.ts'
import { longMs, type StoreContext } from '../store-context.ts'
import { requirementsOf } from '../store-requirement.ts'

/** Adding, reading and removing records. */
export const sessionsRecords = requirementsOf('sessions', [
  {
    id: 'create-adds-the-record',
    title: 'What was created is read back, with every field.',
    async check({ sessions }) {
      const full = toRecord({ initialized: true, logLevel: 'debug', subscriptions: ['file:///a', 'file:///b'] })
      const bare = toRecord({ principal: null, initializeParams: {}, serverCapabilities: {}, owner: '', createdAt: 0 })
      for (const record of [full, bare]) {
        expectEqual(await sessions.create(record, longMs), true, 'create of a key that is not in use')
        expectRecord(await sessions.get(record.key), record, 'the record from get')
      }
    },
  },
  {
    id: 'create-is-refused-when-the-key-exists',
    title: 'A second create with the same key gives false and changes nothing.',
    async check({ sessions }) {
      const record = toRecord()
      await sessions.create(record, longMs)
      const other = toRecord({ key: record.key, principal: 'mallory', owner: 'other', term: 9, logLevel: 'error' })
      expectEqual(await sessions.create(other, longMs), false, 'create of a key that exists')
      expectRecord(await sessions.get(record.key), record, 'the record from get')
    },
  },
  {
    id: 'create-is-atomic',
    title: 'Of 50 creates of one key at once exactly one gives true, and its record is kept.',
    async check(context) {
      const nodes = await context.nodes()
      const key = createKey()
      const records = Array.from({ length: 50 }, (_, i) => toRecord({ key, owner: `node ${i}` }))
      const created = await Promise.all(
        records.map((record, i) => nodes[(i % 2) as 0 | 1].sessions.create(record, longMs)),
      )
      expectEqual(created.filter(Boolean).length, 1, 'the number of creates that gave true')
      const winner = records[created.indexOf(true)] ?? toRecord()
      expectRecord(await context.sessions.get(key), winner, 'the record of the create that gave true')
    },
  },
  {
    id: 'unknown-key-is-refused',
    title:
      'For a key that was never created get and takeOver give undefined, update and delete false; none creates it.',
    async check({ sessions }) {
      const key = createKey()
      await expectUnknown({ sessions }, key)
      expectEqual(await sessions.create(toRecord({ key }), longMs), true, 'create after all that')
    },
  },
  {
    id: 'delete-removes',
    title: 'Delete gives true once; from then on the key is unknown.',
    async check({ sessions }) {
      const record = toRecord()
      await sessions.create(record, longMs)
      expectEqual(await sessions.delete(record.key), true, 'delete of a record')
      await expectUnknown({ sessions }, record.key)
    },
  },
  {
    id: 'delete-of-another-term-is-refused',
    title: 'Delete with a lower or a higher term than the record has gives false and removes nothing.',
    async check({ sessions }) {
      const record = toRecord({ term: 5 })
      await sessions.create(record, longMs)
      for (const term of [4, 6, 1, 0, 50]) {
        expectEqual(await sessions.delete(record.key, term), false, `delete with term ${term} of a record with term 5`)
      }
      expectRecord(await sessions.get(record.key), record, 'the record from get')
    },
  },
  {
    id: 'delete-with-the-term-removes',
    title: 'Delete with the term that the record has by now removes it: it gives true once.',
    async check({ sessions }) {
      const record = toRecord()
      await sessions.create(record, longMs)
      await sessions.takeOver(record.key, { expectedTerm: 1, owner: 'other', ttlMs: longMs })
      expectEqual(await sessions.delete(record.key, 2), true, 'delete of a record with its term')
      expectNothing(await sessions.get(record.key), 'get after delete with the term')
      expectEqual(await sessions.delete(record.key, 2), false, 'delete with the term, once more,')
    },
  },
  {
    id: 'delete-with-a-term-spares-the-next-owner',
    title:
      'A delete with a term at the same time as a takeover either removes the record before that, or removes nothing.',
    async check(context) {
      const [one, other] = await context.nodes()
      for (let round = 0; round < 20; round++) {
        const { key } = await createOne(context)
        const takeOver = () => other.sessions.takeOver(key, { expectedTerm: 1, owner: 'other', ttlMs: longMs })
        const takingOver = round % 2 === 0 ? takeOver() : undefined
        const deleting = one.sessions.delete(key, 1)
        const [deleted, taken] = await Promise.all([deleting, takingOver ?? takeOver()])
        expectEqual(taken !== undefined, !deleted, `whether takeOver gave a record when delete gave ${deleted}`)
        const found = await context.sessions.get(key)
        if (deleted) expectNothing(found, 'get after a delete that gave true')
        else expectRecord(found, taken ?? toRecord(), 'the record that delete left to the next owner')
      }
    },
  },
  {
    id: 'delete-is-atomic',
    title: 'Of 20 deletes of one key at once exactly one gives true.',
    async check(context) {
      const nodes = await context.nodes()
      const { key } = await createOne(context)
      const deleted = await Promise.all(
        Array.from({ length: 20 }, (_, i) => nodes[(i % 2) as 0 | 1].sessions.delete(key)),
      )
      expectEqual(deleted.filter(Boolean).length, 1, 'the number of deletes that gave true')
    },
  },
  {
    id: 'delete-leaves-others',
    title: 'Delete of one record leaves those with similar keys.',
    async check({ sessions }) {
      const keys = ['key*', 'key', 'key1', 'key:1']
      for (const key of keys) await sessions.create(toRecord({ key }), longMs)
      await sessions.delete('key*')
      for (const key of keys.slice(1)) {
        expectThat((await sessions.get(key)) !== undefined, `Expected ${key} to be there after delete of key*`)
      }
    },
  },
  {
    id: 'deleted-can-be-created-anew',
    title: 'A deleted key can be created again, and nothing of the old record comes back.',
    async check({ sessions }) {
      const record = toRecord({ logLevel: 'debug', subscriptions: ['file:///a'] })
      await sessions.create(record, longMs)
      await sessions.takeOver(record.key, { expectedTerm: 1, owner: 'other', ttlMs: longMs })
      await sessions.delete(record.key)
      const anew = toRecord({ key: record.key })
      expectEqual(await sessions.create(anew, longMs), true, 'create of a deleted key')
      expectRecord(await sessions.get(record.key), anew, 'the new record')
    },
  },
  {
    id: 'deleted-is-not-revived',
    title: 'An update or takeover at the same time as delete does not bring the record back.',
    async check(context) {
      const [one, other] = await context.nodes()
      for (let round = 0; round < 20; round++) {
        const { key } = await createOne(context)
        const changing = [
          other.sessions.update(key, 1, { logLevel: 'info' }, longMs),
          other.sessions.takeOver(key, { expectedTerm: 1, owner: 'other', ttlMs: longMs }),
        ]
        await Promise.all([...changing, one.sessions.delete(key)])
        expectNothing(await context.sessions.get(key), 'get after delete, update and takeOver at once')
      }
    },
  },
  {
    id: 'keys-are-opaque',
    title: 'Keys that mean something to a database, a glob or an object are keys like others.',
    async check(context) {
      await expectApart(context, hostileNames)
    },
  },
  {
    id: 'keys-are-told-apart',
    title:
      'Keys that differ in case, in white space, in how a letter is composed or only at the end have records of their own.',
    async check(context) {
      await expectApart(context, similarNames)
    },
  },
])

async function createOne({ sessions }: StoreContext): Promise<{ readonly key: string }> {
  const record = toRecord()
  await sessions.create(record, longMs)
  return record
}

async function expectUnknown({ sessions }: Pick<StoreContext, 'sessions'>, key: string): Promise<void> {
  expectNothing(await sessions.get(key), 'get of an unknown key')
  expectEqual(await sessions.update(key, 1, { initialized: true }, longMs), false, 'update of an unknown key')
  expectNothing(
    await sessions.takeOver(key, { expectedTerm: 1, owner: 'other', ttlMs: longMs }),
    'takeOver of an unknown key',
  )
  expectEqual(await sessions.delete(key), false, 'delete of an unknown key')
  expectNothing(await sessions.get(key), 'get after update, takeOver and delete of an unknown key')
}

/** Each name is the key of a record of its own, also when the others are deleted. */
async function expectApart({ sessions }: StoreContext, names: readonly string[]): Promise<void> {
  for (const key of names) {
    const what = JSON.stringify(key.slice(0, 40))
    expectNothing(await sessions.get(key), `get of the key ${what} before its create`)
    expectEqual(await sessions.create(toRecord({ key, owner: key }), longMs), true, `create of the key ${what}`)
  }
  for (const [i, key] of names.entries()) {
    const what = JSON.stringify(key.slice(0, 40))
    expectRecord(await sessions.get(key), toRecord({ key, owner: key }), `the record of the key ${what}`)
    if (i % 2 === 0) expectEqual(await sessions.delete(key), true, `delete of the key ${what}`)
  }
  const left = names.filter((_, i) => i % 2 === 1)
  for (const key of left) {
    const what = JSON.stringify(key.slice(0, 40))
    expectRecord(await sessions.get(key), toRecord({ key, owner: key }), `the record of ${what}, others deleted`)
  }
}
