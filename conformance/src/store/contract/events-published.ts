import { expectEqual, expectThat } from '../../client/expect.ts'
import type { BusMessage } from '../contract-types.ts'
import type { Listener } from '../listener.ts'
import type { LogWriter } from '../log-writer.ts'
import { expectEvents, expectSame } from '../records.ts'
import type { StoreContext } from '../store-context.ts'
import { requirementsOf } from '../store-requirement.ts'

/** What an append publishes, where the log can do both at once. */
export const eventsPublished = requirementsOf('events', [
  {
    id: 'append-with-messages-keeps-events',
    title: 'Events that are appended with messages are kept as others are, all of them.',
    async check(context) {
      const writer = await context.beginLog()
      const tags = ['g', 'p1-1', 'p1-2']
      const sent = tags.map((tag) => writer.next(tag, { last: tag === 'p1-2' }))
      const messages = [toMessage('one'), toMessage('two')]
      expectEqual(await writer.appendAndPublish(messages, ...sent), 'ok', 'the outcome of an append with messages')
      for (const event of sent) {
        const page = await context.events.read(writer.sessionKey, event.streamTag, 0, 10)
        expectEvents(page, [event], `stream ${event.streamTag}`)
      }
    },
  },
  {
    id: 'append-publishes-its-messages',
    title: 'Each message that is published by an append comes to its channel, byte for byte.',
    async check(context) {
      const writer = await context.beginLog()
      const [, other] = await context.nodes()
      const messages = [toMessage('{"é":"\u2028 "}', 'one'), toMessage('', 'two'), toMessage('3', 'one')]
      const listeners = [await context.listen(other.bus, 'one'), await context.listen(context.bus, 'two')] as const
      const heardBy = ({ channel }: BusMessage): Listener => listeners[channel === 'one' ? 0 : 1]
      for (const message of messages) await appendUntilHeard(context, writer, messages, message, heardBy(message))
      const wrong = messages.filter((each) =>
        listeners.some((by) => by !== heardBy(each) && by.heard.includes(each.message)),
      )
      expectSame(wrong, [], 'the messages that came to another channel')
    },
  },
  {
    id: 'published-is-readable',
    title: 'Who hears a message that an append has published reads its events, on every node.',
    async check(context) {
      const writer = await context.beginLog()
      const [, other] = await context.nodes()
      const heads: Promise<readonly [number, number]>[] = []
      const look = async (index: number): Promise<readonly [number, number]> => {
        const page = await other.events.read(writer.sessionKey, 'g', 0, 0)
        return [index, page?.head ?? 0]
      }
      const onMessage = (message: string): void => {
        if (message !== 'end') heads.push(look(Number(message)))
      }
      const listener = await context.listen(other.bus, 'channel', { onMessage })
      for (let i = 1; i <= 50; i++) {
        const event = writer.next('g')
        expectEqual(await writer.appendAndPublish([toMessage(`${event.index}`)], event), 'ok', 'the outcome of append')
      }
      await appendUntilHeard(context, writer, [toMessage('end')], toMessage('end'), listener)
      expectThat(heads.length > 25, `Expected most of 50 messages to come, ${heads.length} came`)
      const late = (await Promise.all(heads)).filter(([index, head]) => head < index)
      expectSame(late, [], 'the indexes that were heard of, with the head that was read then where it was lower')
    },
  },
  {
    id: 'appends-publish-in-order',
    title:
      'Of the messages of 200 appends, each made before the one before has settled, those that come come in order, and most do.',
    async check(context) {
      const writer = await context.beginLog()
      const listener = await context.listen(context.bus, 'channel')
      await appendUntilHeard(context, writer, [toMessage('begin')], toMessage('begin'), listener)
      await Promise.all(
        Array.from({ length: 200 }, (_, i) => writer.appendAndPublish([toMessage(`${i}`)], writer.next('g'))),
      )
      await appendUntilHeard(context, writer, [toMessage('end')], toMessage('end'), listener)
      const numbers = [...new Set(listener.heard.map(Number).filter(Number.isInteger))]
      const sorted = numbers.toSorted((a, b) => a - b)
      expectSame(numbers, sorted, 'the order in which messages came first')
      expectThat(numbers.length > 100, `Expected most of 200 messages to come, ${numbers.length} came`)
    },
  },
  {
    id: 'failed-append-publishes-nothing',
    title: 'Nothing is published by an append that is fenced, or gives `gone`.',
    async check(context) {
      const [one, other] = await context.nodes()
      const bystander = await context.beginLog(other)
      const listener = await context.listen(other.bus, 'channel')
      await appendUntilHeard(context, bystander, [toMessage('begin')], toMessage('begin'), listener)
      const first = await context.beginLog(one)
      await first.appendAll('g', 1)
      const next = await context.takeOverLog(first, other)
      await next.appendAll('g', 1)
      const fenced = await first.appendAndPublish([toMessage('fenced')], first.next('g'))
      expectEqual(fenced, 'fenced', 'the outcome of an append with messages and a lower term')
      await other.events.delete(next.sessionKey)
      const outcome = await next.appendAndPublish([toMessage('gone')], next.next('g'))
      await appendUntilHeard(context, bystander, [toMessage('end')], toMessage('end'), listener)
      const refused = outcome === 'ok' ? ['fenced'] : ['fenced', 'gone']
      expectSame(
        listener.heard.filter((message) => refused.includes(message)),
        [],
        'what was heard of appends that failed',
      )
    },
  },
])

function toMessage(message: string, channel = 'channel'): BusMessage {
  return { channel, message }
}

/** Messages may be lost: appends again and again until this one is heard. */
async function appendUntilHeard(
  context: StoreContext,
  writer: LogWriter,
  messages: readonly BusMessage[],
  { message }: BusMessage,
  listener: Listener,
): Promise<void> {
  const deadline = performance.now() + context.settleWithinMs
  do {
    const outcome = await writer.appendAndPublish(messages, writer.next('g'))
    expectEqual(outcome, 'ok', 'the outcome of an append with messages')
    if (await listener.hears(message, 50)) return
  } while (performance.now() < deadline)
  listener.expectHeard(message, context.settleWithinMs)
}
