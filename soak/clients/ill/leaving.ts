import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../random.ts'
import { makeCall } from '../call.ts'
import { pickManners } from '../manners.ts'
import { talk, toChunks, toHead, toRequest, toStatus } from '../raw.ts'
import { pickAsk, pickFloodScript, pickScript } from '../scripts.ts'
import { SessionClient } from '../session-client.ts'
import type { World } from '../world.ts'

const untilAnsweredMs = 3_000

/** Opens a session, perhaps half, begins something in it and never comes back. */
export async function abandoning(world: World, random: Random): Promise<void> {
  if (random.chance(0.4)) return (await SessionClient.openHalf(world, random)).leave()
  const client = await SessionClient.open(world, random)
  if (!client) return
  for (let i = 0; i < random.int(0, 3); i++) {
    const script = random.chance(0.2) ? pickFloodScript(random, `left ${i}`) : pickScript(random, `left ${i}`)
    await talk(world.url, {
      pieces: [toRequest(world.url, toPostHeaders(client), toCall(i, script))],
      readAtMost: random.int(1, 3_000),
      timeoutMs: random.int(50, 500),
    })
  }
  client.leave()
}

/** Opens streams and never reads a byte of them. */
export async function neverReading(world: World, random: Random): Promise<void> {
  const client = await SessionClient.open(world, random)
  if (!client) return
  const { hostname, port } = new URL(world.url)
  const requests = [
    Buffer.from(toHead(world.url, 'GET', { ...client.headers, accept: 'text/event-stream' })),
    toRequest(world.url, toPostHeaders(client), toCall(1, pickFloodScript(random, 'unread'))),
    toRequest(world.url, toPostHeaders(client), toCall(2, { call: 'unread', steps: [], answerSize: 3_000_000 })),
  ]
  const sockets = requests.map((request) => {
    const socket = connect(Number(port), hostname, () => socket.write(request)).pause()
    return socket.on('error', () => undefined)
  })
  // It ends with the run, whose end is to show that nothing is left.
  await sleep(random.int(1_000, 8_000), undefined, { signal: world.stopped }).catch(() => undefined)
  for (const socket of sockets) socket.destroy()
  client.leave()
}

/** Requests that are cut anywhere, and answers that are read to any byte. */
export async function cuttingSockets(world: World, random: Random): Promise<void> {
  const client = await SessionClient.open(world, random)
  if (!client) return
  for (let i = 0; i < random.int(5, 25) && !world.stopped.aborted; i++) {
    const pieces = pickRequest(client, random, i)
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
    await talk(world.url, {
      pieces,
      leave: random.pick(['destroy', 'reset', 'end']),
      readAtMost: random.pick([1, 100, 5_000, Infinity]),
      timeoutMs: random.int(1, 300),
      ...(random.chance(0.5) && { sendAtMost: random.int(1, length) }),
    })
  }
  client.leave()
}

/** Lets questions wait: gives some calls up properly, and leaves the others with their questions. */
export async function parking(world: World, random: Random): Promise<void> {
  const client = await SessionClient.open(world, random)
  if (!client) return
  client.answering = 'never'
  const calls = Array.from({ length: random.int(1, 10) }, async (_, i) => {
    const steps = [pickAsk(random, 60_000), pickAsk(random, 60_000)]
    if (random.chance(0.6)) {
      const options = { manners: pickManners(random), cancelAfterMs: random.int(100, 2_000) }
      await makeCall(client, { call: `parked ${i}`, steps, answerSize: 10 }, options)
    } else {
      const pieces = [
        toRequest(world.url, toPostHeaders(client), toCall(1_000 + i, { call: `left ${i}`, steps, answerSize: 0 })),
      ]
      await talk(world.url, { pieces, timeoutMs: random.int(100, 2_000) })
    }
  })
  await Promise.all(calls)
  if (random.chance(0.5)) await client.end()
  client.leave()
}

export function toPostHeaders(client: SessionClient): Record<string, string> {
  return { ...client.headers, 'content-type': 'application/json' }
}

export function toCall(id: number, script: object): string {
  const params = { name: 'play', arguments: script, _meta: { progressToken: id } }
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params })
}

function pickRequest(client: SessionClient, random: Random, i: number): Buffer[] {
  const { url } = client.world
  const body = toCall(10_000 + i, pickScript(random, `cut ${i}`))
  const kind = random.weighted({ call: 5, chunks: 2, get: 2, initialize: 1, broken: 1 })
  if (kind === 'call') return [toRequest(url, toPostHeaders(client), body)]
  if (kind === 'chunks') return toChunks(url, toPostHeaders(client), body, random.int(1, 50))
  if (kind === 'get') return [Buffer.from(toHead(url, 'GET', { ...client.headers, accept: 'text/event-stream' }))]
  if (kind === 'broken') return [Buffer.from(toHead(url, 'POST', { ...toPostHeaders(client), 'content-length': '-5' }))]
  const params = { protocolVersion: client.revision, capabilities: {}, clientInfo: { name: 'cut', version: '1' } }
  const message = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })
  const { accept = '' } = client.headers
  return [toRequest(url, { accept, 'content-type': 'application/json' }, message)]
}

/** Bodies in pieces of a few bytes, which are as good as any; and bodies that never end. */
export async function sendingPieces(world: World, random: Random): Promise<void> {
  const client = await SessionClient.open(world, random)
  if (!client) return
  for (let i = 0; i < random.int(1, 4) && !world.stopped.aborted; i++) {
    const filler = 'x'.repeat(random.int(0, 3_000))
    const body = JSON.stringify({ jsonrpc: '2.0', id: i, method: 'ping', params: { filler } })
    const pieces = toChunks(world.url, toPostHeaders(client), body, random.int(1, 7))
    const isCut = random.chance(0.4)
    const answer = await talk(world.url, {
      pieces: isCut ? pieces.slice(0, random.int(1, pieces.length - 1)) : pieces,
      timeoutMs: isCut ? random.int(10, untilAnsweredMs) : world.hungAfterMs,
    })
    if (!isCut) judgePing(client, answer, `a ping in ${pieces.length} chunks`)
    if (client.isOver) break
  }
  client.leave()
}

function judgePing(client: SessionClient, answer: string, what: string): void {
  client.heard(toStatus(answer))
  if (toStatus(answer) === 200 || client.isOver) return
  client.fault(answer === '' ? 'hung' : 'refused', `${what}: ${answer.slice(0, 300)}`)
}
