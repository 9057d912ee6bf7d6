import { expectEqual, expectResult, expectThat, judged } from '../client/expect.ts'
import { expectServed, modernCall } from '../client/modern.ts'
import { expectAlive } from '../client/probes.ts'
import { requirement } from '../requirement.ts'

const spec = '2026-07-28/basic/versioning#backward-compatibility-with-initialization-based-versions'

/** T. Both eras on one endpoint. */
export const modernEraRequirements = [
  requirement({
    id: 'modern/both-eras-are-served',
    title: 'On an endpoint of both eras, requests with _meta and clients that initialize are served side by side.',
    rows: ['R295'],
    level: 'MUST',
    spec,
    because: 'A server that takes both eras selects by how the client opens: each request is served by its own rules.',
    era: 'modern',
    needs: ['dual'],
    async check(context) {
      expectServed(await modernCall(context, 'server/discover'), 'a request with _meta')
      const session = await judged(context.open())
      expectEqual(session.version, context.version, 'the version that initialize negotiates')
      expectServed(await modernCall(context, 'server/discover'), 'a request with _meta beside a session')
      expectResult(await session.request('ping'), 'a ping of the session')
    },
  }),
  requirement({
    id: 'modern/legacy-session-id-changes-nothing',
    title: 'A request of 2026-07-28 with the id of a live session is served without it, and the session lives on.',
    rows: ['R295', 'R262'],
    level: 'MUST',
    spec,
    because: 'A request with _meta of 2026-07-28 is served statelessly.',
    era: 'modern',
    needs: ['dual', 'sessions'],
    async check(context) {
      const session = await context.open()
      const headers = { 'Mcp-Session-Id': session.id }
      const answer = await modernCall(context, 'server/discover', {}, { headers })
      expectServed(answer, 'a request of 2026-07-28 with the id of a session')
      const echoed = answer.exchange.header('mcp-session-id')
      expectThat(echoed === undefined, `Expected an answer without Mcp-Session-Id, got "${echoed}"`)
      await expectAlive(session)
    },
  }),
]
