import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { listen } from '../../../test-support/listen.ts'
import { Random } from '../../random.ts'
import { Journal } from '../check/journal.ts'
import { Tally } from '../check/tally.ts'
import { ChaosClient } from '../clients/chaos-client.ts'

/** A client that ends its session, which answers all the same; `onLook`: then it is looked for. */
async function endInVain(onLook: () => void, hasLostSince: (time: number) => boolean): Promise<Tally> {
  const server = createServer(async (request, response) => {
    const body = (await request.setEncoding('utf8').toArray()).join('')
    if (request.method === 'DELETE') return void response.writeHead(204).end()
    if (body.includes('"ping"')) onLook()
    response.writeHead(200, { 'mcp-session-id': 'a-session', 'content-type': 'application/json' }).end('{}')
  })
  const { port } = await listen(server)
  const [tally, url] = [new Tally(), `http://127.0.0.1:${port}/mcp`]
  const world = {
    ...{ tally, journal: new Journal(), hungAfterMs: 5_000, stopped: new AbortController().signal, hasLostSince },
    ...{ url: () => url, urls: () => [url], heardAll: async () => undefined, nextName: () => 'client' },
    hasEndedSince: () => false,
  }
  const client = await ChaosClient.open(world, new Random(1))
  tally.faults.refused = 0
  await client?.end()
  return tally
}

test('a session that answers after its DELETE is a fault', async () => {
  const { faults } = await endInVain(
    () => undefined,
    () => false,
  )
  expect(faults.refused).toBe(1)
})

test('but not where the store has lost something since the DELETE, however long the look for it took', async () => {
  let lostAt = -Infinity
  const { faults, figures } = await endInVain(
    () => {
      lostAt = performance.now()
    },
    (time) => lostAt > time,
  )
  expect(faults.refused).toBe(0)
  expect(figures['lost after DELETE']).toBe(1)
})
