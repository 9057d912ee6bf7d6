import { answerWith, beginAsk, expectAnswer } from '../client/asking.ts'
import type { CheckContext } from '../client/context.ts'
import { expectAccepted, expectRefused, expectResult, expectThat, fail, notTestable } from '../client/expect.ts'
import { awaitLog, freshPing, sessionVia } from '../client/probes.ts'
import type { Session } from '../client/session.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/basic/transports#session-management'
const listening = '2025-11-25/basic/transports#listening-for-messages-from-the-server'
const several = ['sessions', 'second-node'] as const

/** Nodes tell each other over a network of their own: so long that may take. */
const spreadMs = 2_000

/** One session, by way of each of two nodes. */
interface Reached {
  readonly here: Session
  readonly there: Session
}

/** Opens a session on the first node and reaches it over the other too, whether that knows it or not. */
async function reach({ open, target, clientFor }: CheckContext): Promise<Reached> {
  const url = target.secondUrl ?? fail('Expected the URL of another node')
  const here = await open()
  return { here, there: sessionVia(clientFor(url), here) }
}

/** The same, where the other node knows the session. Whether it does is a requirement of its own. */
async function reachBoth(context: CheckContext): Promise<Reached> {
  const reached = await reach(context)
  const answer = await reached.there.post(freshPing())
  if (!answer.ok) notTestable(`the other node does not serve sessions of the first: status ${answer.status}`)
  return reached
}

/** Several nodes of one deployment: to a client they are one server, whichever of them a balancer picks. */
export const nodeRequirements = [
  requirement({
    id: 'nodes/post-on-another-node-is-answered',
    title: 'A request and a notification of a session are taken by another node too.',
    rows: ['R143'],
    level: 'HARD',
    spec,
    because: 'A balancer that does not look at the session id sends each request to any node.',
    needs: several,
    async check(context) {
      const { there } = await reach(context)
      expectAccepted(await there.post(freshPing()), 'a ping on the other node')
      expectResult(await there.request('tools/list'), 'tools/list on the other node')
      expectAccepted(await there.notify('notifications/roots/list_changed'), 'a notification on the other node')
    },
  }),
  requirement({
    id: 'nodes/push-reaches-a-get-on-another-node',
    title: 'What a session is sent on one node comes on its GET stream on another.',
    rows: ['R143'],
    level: 'HARD',
    spec: listening,
    because: 'The client has one session and listens where the balancer has sent it.',
    needs: [...several, 'get-stream', 'role:push'],
    async check(context) {
      const { here, there } = await reachBoth(context)
      const stream = await there.listen()
      await here.text('push', { count: 2, text: 'across' })
      await awaitLog(stream, 'across:2')
    },
  }),
  requirement({
    id: 'nodes/answer-on-another-node-reaches-the-tool',
    title: 'The answer to a question reaches the tool that asked, whichever node it was posted to.',
    rows: ['R143'],
    level: 'HARD',
    spec: '2025-11-25/basic/transports#sending-messages-to-the-server',
    because: 'The answer is a POST of its own, which the balancer may send to another node than the call.',
    needs: [...several, 'sse', 'role:ask'],
    async check(context) {
      const { here, there } = await reachBoth(context)
      const asking = await beginAsk(here)
      expectAccepted(await there.post(answerWith(asking, 'across')), 'an answer on the other node')
      expectAnswer(await (await asking.call()).text(), 'across')
    },
  }),
  requirement({
    id: 'nodes/delete-ends-the-session-everywhere',
    title: 'A session that DELETE has ended on one node is not served by the other.',
    rows: ['R143', 'R153'],
    level: 'dMUST',
    spec,
    because:
      'A session that was terminated must be answered 404, and nodes that take the same sessions are one server: what one has ended the other must not serve.',
    needs: [...several, 'delete'],
    async check(context) {
      const { here, there } = await reachBoth(context)
      const ended = await there.delete()
      if (!ended.ok) notTestable(`DELETE on the other node is answered ${ended.status}`)
      const deadline = performance.now() + spreadMs + context.target.roundTripMs
      let answer = await here.post(freshPing())
      while (answer.ok && performance.now() < deadline) {
        await delay(100)
        answer = await here.post(freshPing())
      }
      expectRefused(answer, 'a request in a session that the other node has ended')
    },
  }),
  requirement({
    id: 'nodes/get-stream-ends-with-a-delete-on-another-node',
    title: 'A GET stream on one node ends soon after its session was deleted on the other.',
    rows: ['R112', 'R143'],
    level: 'HARD',
    spec,
    because: 'Nothing can come any more on the stream of a session that has ended, wherever it was ended.',
    needs: [...several, 'get-stream', 'delete'],
    async check(context) {
      const { here, there } = await reachBoth(context)
      const { stream } = await here.listen()
      const ended = await there.delete()
      if (!ended.ok) notTestable(`DELETE on the other node is answered ${ended.status}`)
      const isOver = await stream.endsWithin(spreadMs + context.target.roundTripMs)
      expectThat(isOver, `Expected the GET stream to end within ${spreadMs} ms of a DELETE on the other node`)
    },
  }),
]
