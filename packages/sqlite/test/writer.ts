// Appends to a session until it is killed, and says how far it has come.
import { sqliteBackplane } from '../src/index.ts'
import { toEvent, toRecord, ttlMs } from './records.ts'

const [file = '', key = ''] = process.argv.slice(2)
const { sessions, events } = sqliteBackplane(file)
await sessions.renewLease(key, ttlMs)
await sessions.create(toRecord(key), ttlMs)
for (let n = 1; n < 1_000_000; n += 4) {
  await events.append(
    key,
    [n, n + 1, n + 2, n + 3].map((each) => toEvent(each, { data: 'x'.repeat(500) })),
  )
  process.send?.(n + 3)
}
