import type { Random } from '../random.ts'

type Send = (...args: string[]) => Promise<unknown>

const id = '11111111-1111-4111-8111-111111111111'
const place = { index: 9e15, position: { term: 9e15, n: 9e15 } }

/** What another tenant of the database may publish: nothing that could be read, and what looks right and is not. */
const messages: readonly string[] = [
  '',
  'null',
  '[]',
  '{"version":1}',
  '{"version":2,"type":"came"}',
  '\u0000\uffff',
  'x'.repeat(1_000_000),
  '['.repeat(100_000),
  JSON.stringify({ version: 1, type: 'came', id, ended: true, ...place }),
  JSON.stringify({ version: 1, type: 'answer', id, outcome: { reply: { status: 200, headers: {}, body: '{}' } } }),
  JSON.stringify({ version: 1, type: 'answer', id, outcome: { reply: { status: 200, headers: {}, body: 'x' } } }),
  JSON.stringify({ version: 1, type: 'ask', id, from: 'nobody', request: { method: 'GET', url: 'x', headers: {} } }),
  JSON.stringify({ version: 1, type: 'read', id, from: 'nobody', closed: false, ...place }),
  JSON.stringify({ version: 1, type: 'end', sessionKey: 'none' }),
  JSON.stringify({ version: 1, type: 'notify', notification: { method: 7 } }),
]

/** Publishes all of that on every channel, and writes into logs. Gives the keys of their sessions. */
export async function spoil(send: Send, random: Random): Promise<string[]> {
  const channels = (await send('PUBSUB', 'CHANNELS', '*')) as string[]
  // What nodes say to one another are lists.
  const spoiling = messages.flatMap((message) => [message, `[${message}]`])
  for (const channel of channels) for (const message of spoiling) await send('PUBLISH', channel, message)
  const logs = ((await send('KEYS', '*:l')) as string[]).toSorted()
  const spoiled = random.shuffle(logs).slice(0, 2)
  for (const log of spoiled) await spoilLog(send, log)
  return spoiled.map((log) => log.slice(log.indexOf('{') + 1, log.indexOf('}')))
}

/** An entry of nobody's, at a place that the session's owner would use later. */
async function spoilLog(send: Send, log: string): Promise<void> {
  const [newest] = (await send('XREVRANGE', log, '+', '-', 'COUNT', '1')) as [string, unknown][]
  const [term, n] = String(newest?.[0] ?? '1-0').split('-')
  // It has been deleted meanwhile, where nothing comes back.
  await send('XADD', log, 'NOMKSTREAM', `${term}-${Number(n) + 5}`, 'rubbish', 'x', 'of', 'another', 'tenant', 'z')
}
