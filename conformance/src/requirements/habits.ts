import type { Exchange } from '../client/exchange.ts'
import {
  expectAccepted,
  expectNoServerError,
  expectResult,
  expectStatus,
  expectThat,
  fail,
  judged,
  notTestable,
} from '../client/expect.ts'
import { initialize, isResponse } from '../client/json-rpc.ts'
import {
  awaitLog,
  countResponses,
  endForGood,
  expectAlive,
  expectListening,
  freshPing,
  listenWithEvent,
  logsIn,
  messagesOn,
  progressCall,
} from '../client/probes.ts'
import type { Received, Session } from '../client/session.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const management = '2025-11-25/basic/transports#session-management'
const versionHeader = '2025-11-25/basic/transports#protocol-version-header'
const resumability = '2025-11-25/basic/transports#resumability-and-redelivery'

/** Newer than any server knows. */
const newer = '2099-01-01'

const clientsAtOnce = 5
const callsOfEach = 5

/** Longer than the time after which servers and proxies cut what is idle, which for most is a minute. */
const idleMs = 65_000

/** What clients wait for between two attempts, at least. */
const retryMs = 1_500

/** So many resumes in a row that bring nothing and end tell that there is no end to them. */
const mostResumes = 3

/** As `2025-03-26` had it, and as some clients still have it. */
const withoutVersion = { 'MCP-Protocol-Version': undefined }

/** An initialize that still carries the id of a session that has ended. */
async function initializeAgain(session: Session, version: string): Promise<Exchange> {
  await endForGood(session)
  const headers = { 'Mcp-Session-Id': session.id, 'MCP-Protocol-Version': undefined }
  return await session.post(initialize(version), { headers })
}

/** Cancels a call that streams; gives the exchange once its stream has ended without a response. */
async function cancelledCall(session: Session): Promise<Exchange> {
  const call = await progressCall(session, { count: 150, delayMs: 40 })
  await call.awaitReports(2)
  await session.notify('notifications/cancelled', { requestId: call.id, reason: 'conformance' })
  const hasEnded = await call.exchange.stream.endsWithin(4_000)
  if (!hasEnded) notTestable('the stream of a cancelled call stays open, so that no client has to come back')
  if (countResponses(messagesOn(call.exchange), call.id) > 0) notTestable('a cancelled call is answered all the same')
  return call.exchange
}

/** Clients that the official SDKs do not stand for, each with what it does on the wire. */
export const habitRequirements = [
  requirement({
    id: 'habits/session-per-call-is-served',
    title: 'Clients that open a session for each call, and end none, are answered each time.',
    rows: ['R120', 'R166'],
    level: 'HARD',
    spec: management,
    because:
      'Some clients keep no session, and most do not end theirs: a server that has room for a handful is soon full.',
    async check({ open }) {
      const client = async () => {
        for (let count = 0; count < callsOfEach; count++) await expectAlive(await judged(open()))
      }
      await Promise.all(Array.from({ length: clientsAtOnce }, client))
    },
  }),
  requirement({
    id: 'habits/version-header-may-be-absent-throughout',
    title: 'A client that never sends MCP-Protocol-Version is served from initialize to DELETE.',
    rows: ['R175', 'R178'],
    level: 'SHOULD',
    spec: versionHeader,
    because:
      'The server should take a missing header for 2025-03-26 where it cannot tell the version otherwise, and by the session it can.',
    async check({ open }) {
      const session = await judged(open({ headers: withoutVersion, initialized: false }))
      expectAccepted(await session.notify('notifications/initialized'), 'notifications/initialized without the header')
      await expectAlive(session)
      expectResult(await session.request('tools/list'), 'tools/list without the header')
      await expectListening(await session.get(), open, 'a GET without the header')
      if (session.id === undefined) return
      const ended = await session.delete()
      if (ended.status !== 405) expectAccepted(ended, 'a DELETE without the header')
    },
  }),
  requirement({
    id: 'habits/newer-version-header-never-looks-like-a-lost-session',
    title:
      'A client that sends a newer MCP-Protocol-Version with every request is initialized, told 400 after that, and loses no session.',
    rows: ['R178', 'R179'],
    level: 'HARD',
    spec: versionHeader,
    because:
      'Such a client has to learn that it is the header: by a 404, or with its session gone, it starts anew again and again.',
    async check({ open }) {
      const session = await judged(open({ version: newer, headers: { 'MCP-Protocol-Version': newer } }))
      if (session.version === newer) notTestable(`the server takes a session of version ${newer} for its own`)
      const refused = await session.post(freshPing())
      const isHeader = refused.ok || refused.status === 400
      expectThat(isHeader, `Expected a request of version ${newer} to be refused with 400, got ${refused.status}`)
      const headers = { 'MCP-Protocol-Version': session.version }
      expectAccepted(await session.post(freshPing(), { headers }), 'a request of the negotiated version after that')
    },
  }),
  requirement({
    id: 'habits/stale-session-id-revives-no-session',
    title: 'An initialize with the id of a session that has ended does not bring that session back.',
    rows: ['R157'],
    level: 'dMUST',
    spec: management,
    because: 'A session that was terminated is answered 404 from then on: its id names no other session later.',
    needs: ['sessions', 'delete'],
    async check({ open, version, delete: remove }) {
      const session = await open()
      const again = await initializeAgain(session, version)
      const minted = again.header('mcp-session-id')
      expectThat(minted !== session.id, 'Expected initialize not to give the id of a session that has ended')
      const used = await session.post(freshPing())
      expectThat(!used.ok, `Expected the session to stay ended after that initialize, got status ${used.status}`)
      if (minted !== undefined) await remove({ sessionId: minted })
    },
  }),
  requirement({
    id: 'habits/stale-session-id-on-initialize-is-answered',
    title: 'An initialize with the id of a session that has ended gets a new session, or a 4xx status.',
    rows: ['R157', 'R158'],
    level: 'HARD',
    spec: management,
    because:
      'Clients that are to start anew after a 404 may leave the header in: whether they are served or told so, it is no error of the server.',
    needs: ['sessions', 'delete'],
    async check({ open, version, post, delete: remove }) {
      const exchange = await initializeAgain(await open(), version)
      expectNoServerError(exchange, 'an initialize with the id of an ended session')
      const sessionId = exchange.header('mcp-session-id')
      if (exchange.refused) return
      const [answer] = (await exchange.messages()).filter(isResponse)
      if (answer?.error !== undefined) return
      expectThat(sessionId !== undefined, 'Expected an initialize that succeeds to give a session id')
      expectAccepted(await post(freshPing(), { sessionId }), 'a request in the session that it opened')
      await remove({ sessionId })
    },
  }),
  requirement({
    id: 'habits/resume-after-a-cancel-comes-to-rest',
    title:
      'A client that resumes the stream of a cancelled call is refused, told 204, or left to wait, sooner or later.',
    rows: ['R132', 'R197'],
    level: 'HARD',
    spec: 'WHATWG HTML §9.2',
    because:
      'Clients come back to a stream that ends before its response, and no response is to come: answered 200 each time, they come back for ever.',
    since: '2025-11-25',
    needs: ['sessions', 'sse', 'resumption', 'get-stream', 'role:burst'],
    async check({ open, target }) {
      const session = await open()
      let { lastEventId } = (await cancelledCall(session)).stream
      for (let round = 0; round < mostResumes; round++) {
        if (lastEventId === undefined) notTestable('the stream of the cancelled call had no event id')
        const resumed = await session.get({ lastEventId })
        if (resumed.status === 204 || resumed.refused) return
        expectStatus(resumed, 200, 'a resume of a cancelled call')
        if (!(await resumed.stream.endsWithin(2_000 + target.roundTripMs))) return
        lastEventId = resumed.stream.lastEventId ?? lastEventId
      }
      fail(
        `Expected a client that resumes a cancelled call to come to rest, got ${mostResumes} streams that just ended`,
      )
    },
  }),
  requirement({
    id: 'habits/third-reconnect-brings-what-was-missed',
    title: 'After two reconnects and a silence, a third GET with the last id brings what was pushed meanwhile.',
    rows: ['R111', 'R134'],
    level: 'HARD',
    spec: resumability,
    because:
      'Clients give up after two attempts. Where the app has one listen again, the id is all that tells what it has missed.',
    needs: ['resumption', 'get-stream', 'role:push'],
    async check({ open }) {
      const session = await open()
      const { exchange, lastEventId } = await listenWithEvent(session)
      exchange.abort()
      let cursor = lastEventId
      for (let reconnect = 0; reconnect < 2; reconnect++) {
        await delay(retryMs / 5)
        const resumed = await session.resume(cursor)
        await delay(retryMs / 5)
        cursor = resumed.stream.lastEventId ?? cursor
        resumed.abort()
      }
      await delay(retryMs)
      await session.text('push', { count: 1, text: 'silent' })
      const third = await session.resume(cursor)
      await awaitLog(third, 'silent:1')
      await session.text('push', { count: 1, text: 'live' })
      await awaitLog(third, 'live:1')
    },
  }),
  requirement({
    id: 'habits/event-after-a-long-silence-arrives',
    title:
      'What is pushed after a minute of silence reaches the GET stream, or the one that follows where it was closed.',
    rows: ['R109', 'R110'],
    level: 'HARD',
    spec: '2025-11-25/basic/transports#listening-for-messages-from-the-server',
    because:
      'A client that only listens sends nothing for hours: what ages a stream or a session meanwhile must not cost it the next message.',
    needs: ['get-stream', 'role:push'],
    slow: true,
    async check({ open }) {
      const session = await open()
      const listening = await session.listen()
      if (await listening.stream.endsWithin(idleMs)) {
        await session.get({ lastEventId: listening.stream.lastEventId })
      }
      await session.text('push', { count: 1, text: 'late' })
      const isLate = ({ message }: Received) => logsIn([message]).includes('late:1')
      await session.receive(isLate, 'What was pushed after a long silence')
    },
  }),
]
