import { createServer, type ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { listen } from '../../../test-support/listen.ts'
import { Random } from '../../random.ts'
import { Journal } from '../check/journal.ts'
import { Tally } from '../check/tally.ts'
import { makeCall } from '../clients/chaos-call.ts'
import { ChaosClient } from '../clients/chaos-client.ts'

interface Met {
  readonly hasNodeEnded?: boolean
  readonly cancelAfterMs?: number
  /** What becomes of the call's stream, of which no event has been written: when it is cancelled, or at once. */
  readonly end: (stream: ServerResponse) => void
}

async function meet({ hasNodeEnded = false, cancelAfterMs, end }: Met): Promise<Tally> {
  let stream: ServerResponse | undefined
  const server = createServer(async (request, response) => {
    const text = (await request.setEncoding('utf8').toArray()).join('')
    const { id, method } = JSON.parse(text)
    if (id === undefined) response.writeHead(202).end()
    if (method === 'initialize') response.writeHead(200, { 'mcp-session-id': 'a-session' }).end('{}')
    if (method === 'tools/call') {
      stream = response.writeHead(200, { 'content-type': 'text/event-stream' })
      stream.write('retry: 1\n\n', () => cancelAfterMs === undefined && setTimeout(() => end(response), 20))
    }
    if (method === 'notifications/cancelled' && stream) end(stream)
  })
  const { port } = await listen(server)
  const [tally, url] = [new Tally(), `http://127.0.0.1:${port}/mcp`]
  const world = {
    ...{ tally, journal: new Journal(), hungAfterMs: 5_000, stopped: new AbortController().signal },
    ...{ url: () => url, urls: () => [url], heardAll: async () => undefined, nextName: () => 'client' },
    ...{ hasEndedSince: () => hasNodeEnded, hasLostSince: () => false },
  }
  const client = (await ChaosClient.open(world, new Random(1))) as ChaosClient
  await makeCall(client, { call: 'call', steps: [], answerSize: 0 }, cancelAfterMs)
  return tally
}

test('a connection that breaks before an id has come is a fault where its node lives', async () => {
  const { faults } = await meet({ end: (stream) => stream.destroy() })
  expect(faults.refused).toBe(1)
})

test('and none where its node has ended: nobody knows what became of the call', async () => {
  const { figures, total } = await meet({ end: (stream) => stream.destroy(), hasNodeEnded: true })
  expect(total).toBe(0)
  expect(figures['calls that ended unknown']).toBe(1)
})

test('a stream that ends without an id and an answer is a fault, whatever became of its node', async () => {
  const { faults } = await meet({ end: (stream) => stream.end(), hasNodeEnded: true })
  expect(faults.refused).toBe(1)
})

test('and none of a call that was cancelled', async () => {
  const { figures, total } = await meet({ end: (stream) => stream.end(), cancelAfterMs: 50 })
  expect(total).toBe(0)
  expect(figures['calls that ended cancelled']).toBe(1)
})
