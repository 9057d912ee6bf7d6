import { answerWith, beginAsk } from '../client/asking.ts'
import { withToken } from '../client/bearer.ts'
import { expectEqual, expectStatus, fail } from '../client/expect.ts'
import { notification, request } from '../client/json-rpc.ts'
import { burst, expectAlive, freshPing, messagesOn } from '../client/probes.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/security_best_practices#session-hijacking'
const because =
  'Session ids get into logs and referrers. Bound to who opened the session, a leaked one is of no use to anybody else.'
const refusals = [401, 403, 404]
const twoUsers = ['auth', 'token:other', 'sessions'] as const

/** P. Authorization: a session is its user's. */
export const sessionOwnerRequirements = [
  requirement({
    id: 'auth/other-user-cannot-post',
    title: "A request or notification with another user's token is refused in a session: 401, 403 or 404.",
    rows: ['R167'],
    level: 'SHOULD',
    spec,
    because,
    needs: twoUsers,
    async check({ open, target }) {
      const session = await open()
      const other = withToken(target.credentials.other)
      expectStatus(await session.post(freshPing(), other), refusals, 'a ping of another user')
      expectStatus(await session.post(request('tools/list'), other), refusals, 'tools/list of another user')
      const note = notification('notifications/roots/list_changed')
      expectStatus(await session.post(note, other), refusals, 'a notification of another user')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'auth/other-user-cannot-listen',
    title: "A GET with another user's token opens no stream of a session: 401, 403 or 404.",
    rows: ['R167'],
    level: 'SHOULD',
    spec,
    because,
    needs: [...twoUsers, 'get-stream'],
    async check({ open, target }) {
      const session = await open()
      const exchange = await session.get(withToken(target.credentials.other))
      expectStatus(exchange, refusals, 'a GET of another user')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'auth/other-user-cannot-resume',
    title: "A GET with another user's token and a Last-Event-ID replays nothing of a session: 401, 403 or 404.",
    rows: ['R167'],
    level: 'SHOULD',
    spec,
    because,
    needs: [...twoUsers, 'get-stream', 'resumption', 'role:burst'],
    async check({ open, target }) {
      const session = await open()
      const call = await burst(session, { count: 3 })
      await call.response()
      const lastEventId = call.exchange.stream.blocks.find((block) => block.lastEventId)?.lastEventId
      const exchange = await session.get({
        ...withToken(target.credentials.other),
        lastEventId: lastEventId ?? fail('Expected an event with an id on the stream of a call'),
      })
      if (exchange.isEventStream) await exchange.stream.endsWithin(500)
      expectEqual(messagesOn(exchange), [], 'the messages that another user gets by resuming')
      expectStatus(exchange, refusals, 'a GET of another user with a Last-Event-ID')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'auth/other-user-cannot-delete',
    title: "A DELETE with another user's token is refused with 401, 403 or 404, and the session goes on.",
    rows: ['R163', 'R167'],
    level: 'SHOULD',
    spec,
    because,
    needs: [...twoUsers, 'delete'],
    async check({ open, target }) {
      const session = await open()
      const exchange = await session.delete(withToken(target.credentials.other))
      expectStatus(exchange, refusals, 'a DELETE of another user')
      await expectAlive(session)
    },
  }),
  requirement({
    id: 'auth/other-users-answer-has-no-effect',
    title: "An answer with another user's token is refused, and the tool that asked gets its own user's.",
    rows: ['R167'],
    level: 'SHOULD',
    spec,
    because,
    needs: [...twoUsers, 'sse', 'role:ask'],
    async check({ open, target }) {
      const session = await open()
      const asking = await beginAsk(session)
      const exchange = await session.post(answerWith(asking, 'forged'), withToken(target.credentials.other))
      expectStatus(exchange, refusals, 'an answer of another user')
      await session.post(answerWith(asking, 'genuine'))
      const text = (await (await asking.call()).text()) ?? ''
      const heard = ['genuine', 'forged'].filter((answer) => text.includes(answer))
      expectEqual(heard, ['genuine'], 'the answers that the tool got')
    },
  }),
]
