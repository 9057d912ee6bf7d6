import { readable, type SseEvent } from '../client/event-reader.ts'
import type { Exchange } from '../client/exchange.ts'
import { expectEqual, expectStatus, notTestable } from '../client/expect.ts'
import { listenPolled } from '../client/polling.ts'
import { awaitLog, listenWithEvent, messagesOn, numbers, pushedIn, pushedTexts } from '../client/probes.ts'
import { drop } from '../client/resuming.ts'
import type { Session } from '../client/session.ts'
import { delay, patienceMs, takenOverMs } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#resumability-and-redelivery'
const multiple = '2025-11-25/basic/transports#multiple-connections'
const pushes = ['resumption', 'get-stream', 'role:push'] as const

/** The standalone stream of GET that is resumed. */
export const resumedGetStreamRequirements = [
  requirement({
    id: 'resume/concurrent-pushes-keep-their-order',
    title: 'A replay of messages that were pushed at the same time keeps the order in which they first came.',
    rows: ['R129', 'T4'],
    level: 'dMUST',
    spec,
    because: 'The id is a cursor within the stream, so that what comes after it is what came after it before.',
    needs: pushes,
    async check({ open }) {
      const session = await open()
      const { exchange } = await listenWithEvent(session)
      await Promise.all(numbers(1, 20).map((index) => session.text('push', { count: 10, text: `p${index}` })))
      // A server may have more to say, and not say it again.
      const isPushed = (event: SseEvent) => pushedIn(readable(event)).length > 0
      const pushed = ({ stream }: Exchange) => stream.events.filter(isPushed)
      await exchange.stream.atLeast(201, patienceMs, isPushed)
      const live = pushed(exchange)
      expectEqual(live.length, 201, 'the number of messages on the stream')
      await drop(exchange, session)
      for (const cut of [0, 37, 120, 199]) {
        const resumed = await session.resume(live[cut]?.id)
        await resumed.stream.atLeast(200 - cut, patienceMs, isPushed)
        expectEqual(
          pushed(resumed).map((event) => event.data),
          live.slice(cut + 1).map((event) => event.data),
          `the messages after event ${cut}`,
        )
        await drop(resumed, session)
      }
    },
  }),
  requirement({
    id: 'resume/from-the-last-id-replays-nothing',
    title: 'A resume from the last id brings nothing again, only what is new.',
    rows: ['R130'],
    level: 'SHOULD',
    spec,
    because: 'What is replayed is what would have been sent after the id; what the client has is not that.',
    needs: pushes,
    async check({ open }) {
      const session = await open()
      const { exchange, lastEventId } = await listenWithEvent(session)
      await drop(exchange, session)
      const resumed = await session.resume(lastEventId)
      await session.text('push', { count: 1, text: 'next' })
      await awaitLog(resumed, 'next:1')
      expectEqual(pushedIn(messagesOn(resumed)), ['next:1'], 'the messages after a resume from the last id')
    },
  }),
  requirement({
    id: 'resume/standalone-stream-keeps-what-was-missed',
    title: 'Messages pushed while the GET stream was broken come when it is resumed, before those that are new.',
    rows: ['R134'],
    level: 'dMUST',
    spec,
    because:
      'A server that gives out event ids has chosen to make its streams resumable, and that applies to streams opened by GET too.',
    needs: pushes,
    async check({ open }) {
      const session = await open()
      const { exchange, lastEventId } = await listenWithEvent(session)
      await drop(exchange, session)
      await session.text('push', { count: 4, text: 'missed' })
      const resumed = await session.resume(lastEventId)
      await session.text('push', { count: 1, text: 'live' })
      await awaitLog(resumed, 'live:1')
      const expected = [...pushedTexts('missed', 4), 'live:1']
      expectEqual(pushedIn(messagesOn(resumed)), expected, 'the messages after the resume')
    },
  }),
  requirement({
    id: 'resume/goes-on-when-the-old-connection-closes',
    title: 'A GET stream that was resumed beside its old connection goes on when that one closes.',
    rows: ['R136', 'T19'],
    level: 'dMUST',
    spec: multiple,
    because:
      'The old connection is closed late, by a proxy or by its client: what is forgotten then must be that one and not the new.',
    needs: pushes,
    async check({ open }) {
      const session = await open()
      const { exchange, lastEventId } = await listenWithEvent(session)
      const resumed = await session.get({ lastEventId })
      if (resumed.refused) notTestable(`a resume beside an open connection is refused: status ${resumed.status}`)
      expectStatus(resumed, 200, 'a resume beside an open connection')
      exchange.abort()
      await delay(takenOverMs)
      await session.text('push', { count: 1, text: 'closed' })
      await awaitLog(resumed, 'closed:1')
    },
  }),
  requirement({
    id: 'resume/random-disconnects-while-listening-lose-nothing',
    title: 'GET streams that are disconnected and resumed at random bring every message once, in order.',
    rows: ['R134', 'R137'],
    level: 'HARD',
    spec,
    because:
      'A message that is pushed while a client comes back belongs to the replay or to what follows it, never to both or none.',
    needs: pushes,
    abuse: true,
    async check({ openMany }) {
      const sessions = await openMany(5)
      const trial = async (session: Session) => {
        const { exchange, lastEventId } = await listenWithEvent(session)
        await drop(exchange, session)
        const pushing = numbers(1, 10).map(async (index) => {
          await delay(Math.random() * 60)
          await session.text('push', { count: 10, text: `p${index}` })
        })
        const texts = await listenPolled(session, lastEventId, 100)
        await Promise.all(pushing)
        for (const index of numbers(1, 10)) {
          const own = texts.filter((text) => text.startsWith(`p${index}:`))
          expectEqual(own, pushedTexts(`p${index}`, 10), 'the messages of one of ten pushes over all connections')
        }
        expectEqual(texts.length, 100, 'the number of messages over all connections')
      }
      await Promise.all(sessions.map(trial))
    },
  }),
]
