import { expectEqual, expectThat, fail } from '../../client/expect.ts'
import { delay } from '../../client/waiting.ts'
import { hostileNames, similarNames } from '../hostile-names.ts'
import type { Listener } from '../listener.ts'
import { createKey, expectSame } from '../records.ts'
import { type StoreContext, settle } from '../store-context.ts'
import { requirementsOf } from '../store-requirement.ts'
import { outageMs } from '../time.ts'

/** Messages may be lost, come late or come twice: what counts is what is heard in the end, its order and its place. */
export const busContract = requirementsOf('bus', [
  {
    id: 'publisher-hears-itself',
    title: 'A node that subscribes hears what it publishes.',
    async check(context) {
      const listener = await context.listen(context.bus, 'channel')
      await context.publishUntilHeard(context.bus, 'channel', 'message', listener)
    },
  },
  {
    id: 'every-subscriber-hears',
    title: 'Everyone who subscribes to a channel hears its messages.',
    async check(context) {
      const listeners = [1, 2, 3].map(() => context.listen(context.bus, 'channel'))
      await context.publishUntilHeard(context.bus, 'channel', 'message', ...(await Promise.all(listeners)))
    },
  },
  {
    id: 'subscriptions-are-independent',
    title: 'A listener that subscribes twice has two subscriptions: ending one leaves the other.',
    async check(context) {
      const { bus } = context
      const listener = await context.listen(bus, 'channel')
      const unsubscribe = await bus.subscribe('channel', listener.hear)
      await unsubscribe()
      await context.publishUntilHeard(bus, 'channel', 'message', listener)
    },
  },
  {
    id: 'messages-come-in-order',
    title:
      'Of 1,000 messages, each published before the one before has settled, those that come come in order, and most do.',
    async check(context) {
      const { bus } = context
      const listener = await context.listen(bus, 'channel')
      await context.publishUntilHeard(bus, 'channel', 'begin', listener)
      await Promise.all(Array.from({ length: 1_000 }, (_, i) => bus.publish('channel', `${i}`)))
      await context.publishUntilHeard(bus, 'channel', 'end', listener)
      const numbers = firstNumbers(listener.heard)
      expectSame(
        numbers,
        numbers.toSorted((a, b) => a - b),
        'the order in which messages came first',
      )
      expectThat(numbers.length > 500, `Expected most of 1,000 messages to come, ${numbers.length} came`)
    },
  },
  {
    id: 'messages-are-kept-byte-for-byte',
    title: 'The text of a message comes as it was published, also when it is empty.',
    async check(context) {
      const { bus } = context
      const texts = [
        '',
        ' ',
        '{ "a" : 1.0 }',
        '"',
        "'",
        '\\',
        '\r\n\t',
        '日本語 🎉 e\u0301',
        '\u2028\ufeff\u{10ffff}',
        '$1',
        "');--",
        'null',
      ]
      const listener = await context.listen(bus, 'channel')
      for (const text of texts) await context.publishUntilHeard(bus, 'channel', text, listener)
      const other = listener.heard.filter((message) => !texts.includes(message))
      expectSame(other, [], 'what was heard beside what was published')
    },
  },
  {
    id: 'messages-may-be-large',
    title: 'A message of 256 KiB comes whole.',
    async check(context) {
      const listener = await context.listen(context.bus, 'channel')
      await context.publishUntilHeard(context.bus, 'channel', `${createKey()}${'é'.repeat(131_072)}`, listener)
    },
  },
  {
    id: 'channels-are-opaque',
    title: 'Channel names that mean something to a database, a glob or an object are names like others.',
    async check(context) {
      await expectApart(context, hostileNames)
    },
  },
  {
    id: 'channels-are-told-apart',
    title:
      'Channels that differ in case, in white space, in how a letter is composed or only at the end are different.',
    async check(context) {
      await expectApart(context, similarNames)
    },
  },
  {
    id: 'publish-to-nobody-is-harmless',
    title: 'Publishing to a channel without subscribers settles, and those who subscribe later hear what follows.',
    async check(context) {
      const early = await context.inTime('publish to nobody', () => context.bus.publish('channel', 'early'))
      expectThat('value' in early, 'Expected publish to a channel without subscribers to resolve, it rejects')
      const listener = await context.listen(context.bus, 'channel')
      await context.publishUntilHeard(context.bus, 'channel', 'message', listener)
    },
  },
  {
    id: 'unsubscribe-stops',
    title: 'From when its unsubscribe is called a listener hears nothing more, and the others go on.',
    async check(context) {
      const { bus } = context
      const [leaving, staying] = [await context.listen(bus, 'channel'), await context.listen(bus, 'channel')]
      await context.publishUntilHeard(bus, 'channel', 'before', leaving, staying)
      const unsubscribing = leaving.unsubscribe()
      const before = leaving.heard.length
      await unsubscribing
      await context.publishUntilHeard(bus, 'channel', 'after', staying)
      expectSame(leaving.heard.slice(before), [], 'what was heard after unsubscribe')
    },
  },
  {
    id: 'unsubscribe-while-hearing',
    title: 'A listener that unsubscribes while it hears a message hears no other, and costs the others none.',
    async check(context) {
      const { bus } = context
      const stop: { now: () => unknown } = { now: () => fail('heard before it had subscribed') }
      const leaving = await context.listen(bus, 'channel', { onMessage: () => void stop.now() })
      stop.now = () => leaving.unsubscribe()
      const staying = await context.listen(bus, 'channel')
      await context.publishUntilHeard(bus, 'channel', 'first', leaving)
      await context.publishUntilHeard(bus, 'channel', 'first', staying)
      await context.publishUntilHeard(bus, 'channel', 'second', staying)
      expectSame(leaving.heard, ['first'], 'what the listener that left has heard')
    },
  },
  {
    id: 'unsubscribing-twice-harms-nobody',
    title: 'Calling an unsubscribe again does nothing to those who subscribed since.',
    async check(context) {
      const { bus } = context
      const leaving = await context.listen(bus, 'channel')
      await leaving.unsubscribe()
      const staying = await context.listen(bus, 'channel')
      await leaving.unsubscribe()
      await context.publishUntilHeard(bus, 'channel', 'message', staying)
    },
  },
  {
    id: 'channel-can-be-subscribed-again',
    title: 'When the last listener of a channel has left, others can subscribe to it.',
    async check(context) {
      const { bus } = context
      for (let round = 1; round <= 3; round++) {
        const listener = await context.listen(bus, 'channel')
        await context.publishUntilHeard(bus, 'channel', `round ${round}`, listener)
        await listener.unsubscribe()
      }
    },
  },
  {
    id: 'reaches-every-node',
    title: 'What one node publishes the other hears, in both directions.',
    needs: ['second'],
    async check(context) {
      const second = await context.second()
      const [here, there] = [await context.listen(context.bus, 'channel'), await context.listen(second.bus, 'channel')]
      await context.publishUntilHeard(context.bus, 'channel', 'from the first', here, there)
      await context.publishUntilHeard(second.bus, 'channel', 'from the second', here, there)
    },
  },
  {
    id: 'order-holds-across-nodes',
    title: 'Messages of two nodes on one channel come in the order of each node.',
    needs: ['second'],
    async check(context) {
      const second = await context.second()
      const listener = await context.listen(context.bus, 'channel')
      await context.publishUntilHeard(second.bus, 'channel', 'begin', listener)
      const publishing = Array.from({ length: 200 }, (_, i) => [
        context.bus.publish('channel', `${i}`),
        second.bus.publish('channel', `${1_000 + i}`),
      ])
      await Promise.all(publishing.flat())
      await context.publishUntilHeard(context.bus, 'channel', 'end of the first', listener)
      await context.publishUntilHeard(second.bus, 'channel', 'end of the second', listener)
      const numbers = firstNumbers(listener.heard)
      for (const isFromHere of [true, false]) {
        const own = numbers.filter((number) => number < 1_000 === isFromHere)
        expectSame(
          own,
          own.toSorted((a, b) => a - b),
          'the order in which messages of one node came first',
        )
      }
    },
  },
  {
    id: 'neighbour-is-apart',
    title: 'Another deployment in the same database has its own channels of the same names.',
    needs: ['neighbour'],
    async check(context) {
      const neighbour = await context.neighbour()
      const [ours, theirs] = [
        await context.listen(context.bus, 'channel'),
        await context.listen(neighbour.bus, 'channel'),
      ]
      await context.publishUntilHeard(neighbour.bus, 'channel', 'theirs', theirs)
      await context.publishUntilHeard(context.bus, 'channel', 'ours', ours)
      expectSame([...new Set(ours.heard)], ['ours'], 'what the first deployment heard')
      expectEqual(theirs.heard.includes('ours'), false, 'whether the other deployment heard it')
    },
  },
  {
    id: 'outage-is-bounded',
    title: 'While the database cannot be reached publish and subscribe settle in time: neither waits for ever.',
    needs: ['faults'],
    async check(context) {
      const { bus, faults } = context
      await faults.disconnect()
      await Promise.all([
        context.inTime('publish without the database', () => bus.publish('channel', 'message')),
        context.inTime('subscribe without the database', () => bus.subscribe('channel', () => undefined)),
      ])
    },
  },
  {
    id: 'subscription-survives-an-outage',
    title: 'When the database can be reached again those who had subscribed hear, without subscribing anew.',
    needs: ['faults'],
    async check(context) {
      const { bus, faults } = context
      const listener = await context.listen(bus, 'channel')
      await context.publishUntilHeard(bus, 'channel', 'before', listener)
      await faults.disconnect()
      await context.inTime('publish without the database', () => bus.publish('channel', 'during'))
      await faults.reconnect()
      await context.publishUntilHeard(bus, 'channel', 'after', listener)
    },
  },
  {
    id: 'missed-is-called-after-an-outage',
    title: 'After each outage who subscribed is told that messages may have been missed.',
    needs: ['faults'],
    async check(context) {
      const listener = await context.listen(context.bus, 'channel')
      for (let round = 1; round <= 2; round++) {
        await context.publishUntilHeard(context.bus, 'channel', `before outage ${round}`, listener)
        const before = listener.missed
        await breakOff(context)
        await listener.expectMissed(before + 1, context.settleWithinMs)
      }
    },
  },
  {
    id: 'missed-reaches-every-subscription',
    title: 'Every subscription is told after an outage, also several to one channel.',
    needs: ['faults'],
    async check(context) {
      const names = ['one', 'one', 'other', 'third', 'third', 'third']
      const listeners = await Promise.all(names.map((name) => context.listen(context.bus, name)))
      await breakOff(context)
      for (const listener of listeners) await listener.expectMissed(1, context.settleWithinMs)
    },
  },
  {
    id: 'missed-comes-when-messages-are-heard-again',
    title: 'What another node publishes once a subscription was told is heard, or the subscription is told again.',
    needs: ['faults', 'second'],
    async check(context) {
      const { bus } = await context.second()
      const onMissed = () => void settle(() => bus.publish('channel', `after missed ${listener.missed}`))
      const listener: Listener = await context.listen(context.bus, 'channel', { onMissed })
      await context.publishUntilHeard(bus, 'channel', 'before', listener)
      await breakOff(context)
      await listener.expectMissed(1, context.settleWithinMs)
      const hearsTheLast = () => listener.heard.includes(`after missed ${listener.missed}`)
      const isHeard = await listener.until(hearsTheLast, context.settleWithinMs)
      expectThat(isHeard, 'Expected a message published when `missed` was called to be heard, it is lost')
    },
  },
  {
    id: 'missed-is-not-called-without-cause',
    title: 'While nothing breaks nobody is told of missed messages, whoever comes, goes and publishes.',
    async check(context) {
      const { bus } = context
      const [staying, other] = [await context.listen(bus, 'channel'), await context.listen(bus, 'other')]
      const leaving = await context.listen(bus, 'channel')
      for (let round = 1; round <= 3; round++) {
        const passing = await context.listen(bus, `channel ${round}`)
        await context.publishUntilHeard(bus, 'channel', `round ${round}`, leaving)
        await passing.unsubscribe()
      }
      await leaving.unsubscribe()
      await context.publishUntilHeard(bus, 'channel', 'end', staying)
      await context.publishUntilHeard(bus, 'other', 'end', other)
      const calls = [staying, leaving, other].map(({ missed }) => missed)
      expectSame(calls, [0, 0, 0], 'how often `missed` was called of three subscriptions')
    },
  },
])

/** An outage in which something is published that nobody may hear. */
async function breakOff(context: StoreContext): Promise<void> {
  const { bus, faults } = context
  await faults.disconnect()
  await context.inTime('publish without the database', () => bus.publish('channel', 'during'))
  await delay(outageMs)
  await faults.reconnect()
}

/** Each number where it was heard first. */
function firstNumbers(heard: readonly string[]): number[] {
  return [...new Set(heard)].filter((message) => /^\d+$/.test(message)).map(Number)
}

/** Listens on each name, publishes one message to each, and looks who heard what. */
async function expectApart(context: StoreContext, names: readonly string[]): Promise<void> {
  const { bus } = context
  const listeners = await Promise.all(names.map((name) => context.listen(bus, name)))
  for (const [i, listener] of listeners.entries()) {
    await context.publishUntilHeard(bus, names[i] ?? '', `to ${i}`, listener)
  }
  for (const [i, { heard }] of listeners.entries()) {
    const what = `what is heard on the channel ${JSON.stringify(names[i]?.slice(0, 40))}`
    expectSame([...new Set(heard)], [`to ${i}`], what)
  }
}
