import { createServer, type ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { listen } from '../../../test-support/listen.ts'
import { Random } from '../../random.ts'
import { Journal } from '../check/journal.ts'
import { Tally } from '../check/tally.ts'
import { populateOfficial } from '../clients/official.ts'

const retry = 'retry: 1\n\n'
const firstId = 'id: p1-1.0.1-1\ndata: \n\n'

interface Asked {
  /** Of the call, or of a GET for it. */
  readonly response: ServerResponse
  readonly answer: string
  /** How many there were before. */
  readonly times: number
}

/** One session of the official client, in which the first call is met like this. Nothing answers it in the end. */
async function meetCall({
  onCall,
  onReturn = ({ response }) => void response.writeHead(404).end(),
  hasNodeEnded = false,
}: {
  readonly onCall: (asked: Asked) => void
  readonly onReturn?: (asked: Asked) => void
  readonly hasNodeEnded?: boolean
}): Promise<Tally> {
  const stopping = new AbortController()
  let [returns, answer] = [0, '']
  const server = createServer(async (request, response) => {
    const text = (await request.setEncoding('utf8').toArray()).join('')
    if (request.headers['last-event-id']) return onReturn({ response, answer, times: returns++ })
    if (request.method !== 'POST') return void response.writeHead(405).end()
    const { id, method, params } = JSON.parse(text)
    if (id === undefined) return void response.writeHead(202).end()
    const { protocolVersion } = params
    const serverInfo = { name: 'a server', version: '1' }
    const result = { protocolVersion, capabilities: { tools: {} }, serverInfo, content: [], played: { sent: 0 } }
    answer = `id: p1-1.1.1-2\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    if (method === 'initialize') return void response.end(answer)
    stopping.abort()
    onCall({ response, answer, times: 0 })
  })
  const { port } = await listen(server)
  const [tally, url] = [new Tally(), `http://127.0.0.1:${port}/mcp`]
  const world = {
    ...{ tally, journal: new Journal(), hungAfterMs: 600, stopped: stopping.signal, hasLostSince: () => false },
    ...{ url: () => url, urls: () => [url], heardAll: async () => undefined, nextName: () => 'client' },
    hasEndedSince: () => hasNodeEnded,
  }
  await populateOfficial(world, new Random(1), 1)
  return tally
}

/** Resolves when what was written is out: a connection that breaks sooner takes it along. */
const breakOff = ({ response }: Asked, text: string) =>
  void response.write(text, () => setTimeout(() => response.destroy(), 20))

test('a call to which nothing comes is a fault', async () => {
  const { faults } = await meetCall({ onCall: ({ response }) => void response.write(retry + firstId) })
  expect(faults.hung).toBe(1)
})

test('so is one whose connection breaks before an id, though its node lives', async () => {
  const { faults } = await meetCall({ onCall: (asked) => breakOff(asked, retry) })
  expect(faults.hung).toBe(1)
})

test('so is one whose stream ends without an id, also of a node that ends', async () => {
  const { faults } = await meetCall({ onCall: ({ response }) => void response.end(retry), hasNodeEnded: true })
  expect(faults.hung).toBe(1)
})

test('so is one whose node ends when its client has an id, and that nobody answers then', async () => {
  const { faults } = await meetCall({
    onCall: (asked) => breakOff(asked, retry + firstId),
    onReturn: ({ response }) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(firstId),
    hasNodeEnded: true,
  })
  expect(faults.hung).toBe(1)
})

test('one whose node ends before it gave an id is none: its client cannot come back', async () => {
  const { faults, figures } = await meetCall({ onCall: (asked) => breakOff(asked, retry), hasNodeEnded: true })
  expect(faults.hung).toBe(0)
  expect(figures['official: timed out, its node ended before the first id']).toBe(1)
})

test('nor one that came back to a node that ends before it gave an id: its client forgets the one it came with', async () => {
  const { faults, figures } = await meetCall({
    onCall: ({ response }) => void response.end(retry + firstId),
    onReturn: (asked) => {
      asked.response.writeHead(200, { 'content-type': 'text/event-stream' })
      breakOff(asked, retry)
    },
    hasNodeEnded: true,
  })
  expect(faults.hung).toBe(0)
  expect(figures['official: timed out, its node ended before the next id']).toBe(1)
})

test('it comes back until it gets its answer, however often it is told that there is none now', async () => {
  const { faults, figures } = await meetCall({
    onCall: ({ response }) => void response.end(retry + firstId),
    onReturn({ response, answer, times }) {
      if (times < 30) return void response.writeHead(503).end()
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(answer)
    },
  })
  expect(faults.hung).toBe(0)
  expect(figures['official results']).toBe(1)
})
