import { expectEqual } from '../../client/expect.ts'
import type { SessionRecord } from '../contract-types.ts'
import { expectRecord, expectSame, toRecord } from '../records.ts'
import { longMs, type StoreContext } from '../store-context.ts'
import { requirementsOf } from '../store-requirement.ts'

/** What clients send in `initialize` is any JSON, and is replayed as it was sent. */
export const sessionsJson = requirementsOf('sessions', [
  {
    id: 'json-is-kept',
    title: 'Nested, empty, null, boolean, number and text values come back as they were.',
    async check(context) {
      await expectKept(context, {
        nothing: null,
        empty: { object: {}, array: [], text: '' },
        nested: { a: [{ b: [[], [[{ c: { d: [null, false, true, 0, ''] } }]]] }] },
        numbers: [0, -1, 1.5, 1e21, 5e-324, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0.1 + 0.2],
        texts: ['"', '\\', "'", '$1', '%s', '{"json":1}', 'null', '1', 'true', '\n\r\t\b\f', '<script>'],
      })
    },
  },
  {
    id: 'unicode-is-kept',
    title: 'Text beyond ASCII comes back as it was, neither normalised nor replaced.',
    async check(context) {
      await expectKept(context, {
        clientInfo: {
          name: '日本語 🎉 👩‍👩‍👧 é e\u0301 ﬁ İ ı ß',
          title: '\u2028\u2029\u00a0\ufeff\u200b\u202e\u{10ffff}',
        },
        'ключ 🔑': ['\u0001\u001f\u007f\u0080\u009f', '\ufffd\ufffe\uffff'],
      })
    },
  },
  {
    id: 'nul-and-lone-surrogates-are-kept',
    title: 'JSON text may contain \\u0000 and lone surrogates: they come back as they were.',
    async check(context) {
      await expectKept(context, { clientInfo: { name: 'a\u0000b' }, '\u0000': ['\ud800', '\udfff\ud800x'] })
    },
  },
  {
    id: 'member-names-are-kept',
    title: 'Members named __proto__, constructor or like a field of the record come back as they were.',
    async check(context) {
      const text =
        '{"__proto__":{"polluted":true},"constructor":{"prototype":1},"toJSON":"x","then":1,"term":9,"key":"k","":0}'
      await expectKept(context, JSON.parse(text) as Record<string, unknown>)
      expectEqual('polluted' in {}, false, 'what every object inherits to have a member "polluted"')
    },
  },
  {
    id: 'records-may-be-large',
    title: 'Parameters of 256 KiB and 1,000 subscriptions come back whole.',
    async check({ sessions }) {
      const initializeParams = { experimental: { text: 'é'.repeat(131_072) } }
      const record = toRecord({ initializeParams })
      const subscriptions = Array.from({ length: 1_000 }, (_, i) => `file:///${'x'.repeat(100)}/${i}`)
      expectEqual(await sessions.create(record, longMs), true, 'create')
      expectEqual(await sessions.update(record.key, 1, { subscriptions }, longMs), true, 'update')
      expectRecord(await sessions.get(record.key), { ...record, subscriptions }, 'the record from get')
    },
  },
])

/** In both members that hold JSON of others, after every way in which a record is written and read. */
async function expectKept({ sessions }: StoreContext, json: Readonly<Record<string, unknown>>): Promise<void> {
  const record: SessionRecord = toRecord({ initializeParams: json, serverCapabilities: { experimental: json } })
  expectEqual(await sessions.create(record, longMs), true, 'create')
  expectRecord(await sessions.get(record.key), record, 'the record from get')
  await sessions.update(record.key, 1, { logLevel: 'debug' }, longMs)
  const taken = { ...record, logLevel: 'debug', owner: 'other', term: 2 }
  expectRecord(
    await sessions.takeOver(record.key, { expectedTerm: 1, owner: 'other', ttlMs: longMs }),
    taken,
    'the record from takeOver',
  )
  for await (const { initializeParams } of sessions.list()) {
    expectSame(initializeParams, json, 'initializeParams of the record from list')
  }
}
