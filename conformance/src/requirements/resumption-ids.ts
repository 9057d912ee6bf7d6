import type { Exchange } from '../client/exchange.ts'
import {
  expectEqual,
  expectNoServerError,
  expectRefused,
  expectStatus,
  expectThat,
  notTestable,
} from '../client/expect.ts'
import { forgedFrom, guessedFrom, splicedFrom } from '../client/forging.ts'
import type { Message } from '../client/json-rpc.ts'
import {
  awaitLog,
  endSession,
  listenWithEvent,
  needEnded,
  numbers,
  type ProgressCall,
  progressCall,
  progressIn,
  sessionVia,
} from '../client/probes.ts'
import { canPush, finished, firstId, isOfCall, replayed, replayedAgain } from '../client/resuming.ts'
import type { Received, Session } from '../client/session.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#resumability-and-redelivery'
const hijacking = '2025-11-25/basic/security_best_practices#session-hijacking'
const calls = ['resumption', 'get-stream', 'sse'] as const

/** Ids of the events with data that came on a stream. */
function idsOn(exchange: Exchange): string[] {
  return exchange.stream.events
    .filter((event) => event.data !== '')
    .map((event) => event.id ?? notTestable('not every event of a stream has an id'))
}

const mostGuessesAtOnce = 8

/** Tries ids that name nothing of this session, a few at a time. */
async function expectNoLeak(
  session: Session,
  { ids, what, isLeak }: { ids: readonly string[]; what: string; isLeak: (message: Message) => boolean },
): Promise<void> {
  const queue = new Set(ids).values()
  const work = async () => {
    for (const id of queue) {
      const { exchange, messages } = await replayed(session, id, 150)
      expectNoServerError(exchange, `${what} ${id}`)
      expectEqual(messages.filter(isLeak), [], `the messages replayed for ${what} ${id}`)
    }
  }
  await Promise.all(Array.from({ length: mostGuessesAtOnce }, work))
}

/** Tokens, ids and texts of one session begin with it. */
function isSecret(message: Message): boolean {
  return JSON.stringify(message).includes('secret')
}

/** A session with a text on its streams that no other may see, and the first ids of those streams. */
async function withTextOnStreams(session: Session, text: string): Promise<{ call: ProgressCall; ids: string[] }> {
  const pushed: string[] = []
  if (session.client.settings.roles?.has('push')) {
    pushed.push((await listenWithEvent(session)).lastEventId)
    await session.text('push', { count: 3, text })
  }
  const call = await finished(session, 4, text)
  return { call, ids: [...pushed, firstId(call.exchange)] }
}

/** Event ids: what they look like, and what those of others, made-up ones and those of a session that has ended bring. */
export const eventIdRequirements = [
  requirement({
    id: 'resume/event-ids-are-unique',
    title: 'No event id occurs twice in a session, over all its streams.',
    rows: ['R121'],
    level: 'MUST',
    spec,
    needs: ['resumption', 'sse'],
    async check({ open, target }) {
      const session = await open()
      const listening: Exchange[] = canPush(target) ? [await session.listen()] : []
      const running = await Promise.all(numbers(1, 5).map((count) => progressCall(session, { count, delayMs: 5 })))
      for (const exchange of listening) {
        await session.text('push', { count: 5, text: 'p' })
        await awaitLog(exchange, 'p:5')
      }
      for (const call of running) await call.response()
      const ids = [...listening, ...running.map((call) => call.exchange)].flatMap(idsOn)
      expectEqual(new Set(ids).size, ids.length, `the number of distinct ids among ${ids.length} events`)
    },
  }),
  requirement({
    id: 'resume/event-ids-fit-a-header',
    title: 'Event ids are visible ASCII of up to 1 KiB.',
    rows: ['R123'],
    level: 'HARD',
    spec: 'WHATWG HTML §9.2.4',
    because: 'The client sends the id back in the header Last-Event-ID, which must carry it unchanged.',
    needs: ['resumption', 'sse'],
    async check({ open, target }) {
      const session = await open()
      const standalone = canPush(target) ? idsOn((await listenWithEvent(session)).exchange) : []
      const call = await finished(session, 3, 'p')
      for (const id of [...standalone, ...idsOn(call.exchange)]) {
        expectThat(/^[\x21-\x7e]{1,1024}$/.test(id), `Expected visible ASCII of up to 1 KiB, got ${JSON.stringify(id)}`)
      }
    },
  }),
  requirement({
    id: 'resume/foreign-event-id-leaks-nothing',
    title: 'With an event id of another session a resume brings nothing of that session.',
    rows: ['R126', 'T8'],
    level: 'dMUST',
    spec: hijacking,
    because:
      'An event id is known to more than its owner, so that only the session itself may read what it stands for.',
    needs: [...calls, 'sessions'],
    async check({ openMany }) {
      const [victim, attacker] = await openMany(2)
      if (victim === undefined || attacker === undefined) return
      const { call, ids } = await withTextOnStreams(victim, 'secret')
      const all = [...ids, ...idsOn(call.exchange).slice(1, 2), call.exchange.stream.events[0]?.id ?? '']
      const known = all.filter((id) => id !== '')
      await expectNoLeak(attacker, { ids: known, what: 'the id of another session', isLeak: isSecret })
    },
  }),
  requirement({
    id: 'resume/guessed-event-ids-leak-nothing',
    title: "With an event id guessed from one's own a resume brings nothing of another session.",
    rows: ['R126', 'T8', 'T9'],
    level: 'dMUST',
    spec: hijacking,
    because: 'What can be guessed protects nothing, so that only the session itself may read what an id stands for.',
    needs: [...calls, 'sessions'],
    async check({ openMany }) {
      const [victim, attacker] = await openMany(2)
      if (victim === undefined || attacker === undefined) return
      const [theirs, own] = [await withTextOnStreams(victim, 'secret'), await withTextOnStreams(attacker, 'own')]
      const guesses = theirs.ids.flatMap((id, index) => [...splicedFrom(own.ids[index] ?? '', id), ...guessedFrom(id)])
      await expectNoLeak(attacker, { ids: guesses, what: 'the made-up id', isLeak: isSecret })
    },
  }),
  requirement({
    id: 'resume/needs-the-session-id',
    title: 'A resume without the session id is refused with 400.',
    rows: ['R127'],
    level: 'SHOULD',
    spec: '2025-11-25/basic/transports#session-management',
    needs: [...calls, 'sessions'],
    async check({ open, get, version }) {
      const plain = await get()
      if (plain.ok) notTestable('the server needs no session id: it opens a stream without one')
      const call = await finished(await open(), 3, 'p')
      const lastEventId = firstId(call.exchange)
      const exchange = await get({ lastEventId, headers: { 'MCP-Protocol-Version': version } })
      expectStatus(exchange, 400, 'a resume without a session id')
    },
  }),
  requirement({
    id: 'resume/ended-session-is-404',
    title: 'A resume in a session that was deleted is refused with 404.',
    rows: ['R128'],
    level: 'dMUST',
    spec: hijacking,
    because: 'What a session has sent is not for those who come after its end, and every request with its id is 404.',
    needs: [...calls, 'sessions', 'delete'],
    async check({ open }) {
      const session = await open()
      const call = await finished(session, 3, 'p')
      await endSession(session)
      const exchange = await session.get({ lastEventId: firstId(call.exchange) })
      if (exchange.ok) await needEnded(session)
      expectStatus(exchange, 404, 'a resume in an ended session')
    },
  }),
  requirement({
    id: 'resume/garbage-event-id-is-refused',
    title: 'A Last-Event-ID that the server never gave out is refused with a 4xx status.',
    rows: ['R138', 'T9'],
    level: 'SHOULD',
    spec,
    because: 'Such an id names no stream, and an open stream would tell the client that it has missed nothing.',
    needs: ['resumption', 'get-stream'],
    async check({ open }) {
      const session = await open()
      const garbage = [
        'complete-garbage',
        '::',
        '../../etc/passwd',
        'x'.repeat(8_192),
        'Ã¼nÃ¯',
        '-1',
        '__proto__',
        '{}',
      ]
      for (const lastEventId of garbage) {
        expectRefused(await session.get({ lastEventId }), `the event id ${lastEventId.slice(0, 40)}`)
      }
    },
  }),
  requirement({
    id: 'resume/forged-event-id-maps-to-nothing',
    title: 'An id made up from a real one brings no message of a call.',
    rows: ['R139', 'T9'],
    level: 'SHOULD',
    spec,
    because: 'An id names a stream and a place in it only if the server gave it out.',
    needs: calls,
    async check({ open }) {
      const session = await open()
      const call = await finished(session, 5, 'p')
      const known = new Set(idsOn(call.exchange))
      const forged = idsOn(call.exchange)
        .slice(0, 2)
        .flatMap(forgedFrom)
        .filter((id) => !known.has(id))
      if (forged.length === 0) notTestable('every made-up id was a real one')
      await expectNoLeak(session, { ids: forged, what: 'the forged id', isLeak: isOfCall })
    },
  }),
  requirement({
    id: 'resume/event-id-without-a-store-does-no-harm',
    title: 'A server whose events have no ids refuses a Last-Event-ID, or answers as to any GET: live messages come.',
    rows: ['R142'],
    level: 'HARD',
    spec,
    because: 'The server may use the header or not; an open stream on which nothing ever comes is neither.',
    needs: ['get-stream', 'sse', 'role:progress'],
    async check({ open, target }) {
      const session = await open()
      const call = await progressCall(session)
      await call.response()
      if (call.exchange.stream.lastEventId !== undefined) notTestable('the events of this server have ids')
      const listening = await session.get({ lastEventId: 'never-issued' })
      if (listening.refused) return
      expectStatus(listening, 200, 'a GET with an event id that the server cannot know')
      expectThat(listening.isEventStream, `Expected an event stream, got ${listening.contentType}`)
      if (target.roles.has('push')) {
        await session.text('push', { count: 1, text: 'live' })
        await awaitLog(listening, 'live:1')
      } else if (target.roles.has('list_changed')) {
        await session.text('list_changed')
        const isChange = ({ message }: Received) => message.method === 'notifications/tools/list_changed'
        await session.receive(isChange, 'The announcement that the list of tools has changed')
      }
    },
  }),
  requirement({
    id: 'resume/works-on-another-node',
    title: 'What one node has sent, another brings on a resume, for its own session only.',
    rows: ['R143', 'T8'],
    level: 'HARD',
    spec,
    because:
      'A load balancer may send a client that reconnects to any node: what it can resume must not depend on which.',
    needs: [...calls, 'second-node', 'sessions'],
    async check({ openMany, target, clientFor }) {
      const [one, other] = await openMany(2)
      if (one === undefined || other === undefined || target.secondUrl === undefined) return
      const client = clientFor(target.secondUrl)
      const call = await finished(one, 4, 'secret')
      const eventId = firstId(call.exchange)
      const expected = progressIn(await replayedAgain(one, eventId))
      const { exchange, messages } = await replayed(sessionVia(client, one), eventId, 1_500)
      expectStatus(exchange, 200, 'a resume on the other node')
      expectEqual(progressIn(messages), expected, 'the progress replayed on the other node')
      expectEqual(messages.at(-1)?.id, call.id, 'the id of the last message replayed on the other node')
      const foreign = { ids: [eventId], what: 'the id of another session', isLeak: isSecret }
      await expectNoLeak(sessionVia(client, other), foreign)
    },
  }),
]
