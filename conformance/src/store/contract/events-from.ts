import { expectThat } from '../../client/expect.ts'
import type { LogEvent } from '../contract-types.ts'
import { expectSame } from '../records.ts'
import type { StoreContext } from '../store-context.ts'
import { requirementsOf } from '../store-requirement.ts'
import { budget } from './events-budget.ts'

/** Reads that say from which position on there is something to find. */
export const eventsFrom = requirementsOf('events', [
  {
    id: 'from-changes-nothing-that-is-read',
    title:
      'Read with `from`, the position of any event of the session up to the first that is asked for, gives what it gives without.',
    async check(context) {
      const writer = await context.beginLog()
      const sent: LogEvent[] = []
      for (const tag of 'aabacbbbcaacbcaabbca') sent.push(...(await writer.appendAll(tag, 1)))
      await expectSamePages(context, writer.sessionKey, sent)
    },
  },
  {
    id: 'from-holds-across-terms',
    title: 'Read with a `from` of an earlier term gives the events of later ones, whose numbers begin anew.',
    async check(context) {
      const first = await context.beginLog()
      const sent: LogEvent[] = []
      let writer = first
      for (const tags of ['aabababba', 'ba', 'abbaa']) {
        if (sent.length > 0) writer = await context.takeOverLog(writer, context)
        for (const tag of tags) sent.push(...(await writer.appendAll(tag, 1)))
      }
      await expectSamePages(context, first.sessionKey, sent)
    },
  },
  {
    id: 'from-may-name-what-was-dropped',
    title: 'Read with the position of an event that was dropped gives what it gives without.',
    needs: ['budget'],
    async check(context) {
      const writer = await context.beginLog()
      const sent: LogEvent[] = []
      for (let i = 0; i < 5 * budget; i++) {
        const event = writer.next('p1-1', { kind: i % 10 === 0 ? 'message' : 'progress' })
        sent.push(event)
        await writer.append(event)
      }
      const page = await context.events.read(writer.sessionKey, 'p1-1', 0, sent.length)
      expectThat((page?.events.length ?? 0) < sent.length, 'Expected some events to be dropped, all are there')
      await expectSamePages(context, writer.sessionKey, sent)
    },
  },
])

/** Reads every stream after several places: without `from`, and with several. */
async function expectSamePages(context: StoreContext, sessionKey: string, sent: readonly LogEvent[]): Promise<void> {
  for (const tag of new Set(sent.map(({ streamTag }) => streamTag))) {
    const own = sent.filter(({ streamTag }) => streamTag === tag)
    for (const after of [0, 1, Math.floor(own.length / 2), own.length - 1, own.length]) {
      const froms = findFroms(sent, own, after)
      for (const limit of [0, 2, sent.length]) {
        const read = (from?: LogEvent) => context.events.read(sessionKey, tag, after, limit, from?.position)
        const [expected, ...pages] = await Promise.all([read(), ...froms.map(read)])
        for (const [i, page] of pages.entries()) {
          const from = JSON.stringify(froms[i]?.position)
          expectSame(page, expected, `the page of ${limit} after ${after} of stream ${tag} from ${from}`)
        }
      }
    }
  }
}

/** What lies before no event of the stream after this index, or is the first of them; beyond the end, up to the newest. */
function findFroms(sent: readonly LogEvent[], own: readonly LogEvent[], after: number): LogEvent[] {
  // Indexes begin with 1.
  const [lastRead, first] = [own[after - 1], own[after] ?? own.at(-1)]
  const upToFirst = first ? sent.slice(0, sent.indexOf(first) + 1) : []
  const candidates = [upToFirst[0], lastRead, upToFirst.at(-2), upToFirst.at(-1)]
  return [...new Set(candidates.filter((event) => event !== undefined))]
}
