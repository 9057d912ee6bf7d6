import { expectThat } from '../client/expect.ts'
import { modernHeaders, modernRequest } from '../client/modern.ts'
import { responseIn } from '../client/session.ts'
import type { Target } from '../client/target.ts'
import { requirement } from '../requirement.ts'

const rounds = 10
const mostMs = 2_000

/** Takes a few fresh rounds, and expects each to be as quick as any client would have it. */
async function expectQuick({ roundTripMs }: Target, what: string, round: () => Promise<void>): Promise<void> {
  const most = mostMs + 4 * roundTripMs
  for (let count = 1; count <= rounds; count++) {
    const startedAt = performance.now()
    await round()
    const took = Math.round(performance.now() - startedAt)
    expectThat(took <= most, `Expected ${what} to take at most ${most} ms after the checks, it took ${took} ms`)
  }
}

/** What a run leaves behind. It goes last. */
export const afterwardsRequirements = [
  requirement({
    id: 'afterwards/server-answers-as-before',
    title: 'After the other checks, fresh sessions open and answer as fast as ever.',
    rows: ['R235'],
    level: 'HARD',
    spec: 'CWE-400',
    because: 'What clients send, right or wrong, must leave nothing behind that later clients wait for.',
    alone: true,
    async check({ open, target }) {
      await expectQuick(target, 'a fresh session and a ping', async () => {
        await (await open()).request('ping')
      })
    },
  }),
  requirement({
    id: 'afterwards/modern-server-answers-as-before',
    title: 'After the other checks, requests of revision 2026-07-28 are answered as fast as ever.',
    rows: ['R235'],
    level: 'HARD',
    spec: 'CWE-400',
    because: 'What clients send, right or wrong, must leave nothing behind that later clients wait for.',
    era: 'modern',
    alone: true,
    async check({ client, target }) {
      await expectQuick(target, 'server/discover', async () => {
        const message = modernRequest('server/discover')
        await responseIn(await client.send('POST', { body: message, headers: modernHeaders(message) }), message.id)
      })
    },
  }),
]
