import { describe, expect, it, onTestFinished } from 'vitest'
import { Ledger } from '../check/ledger.ts'
import { Series } from '../check/series.ts'
import { judgeErrors, judgeHeap, judgeHeld } from '../check/verdict.ts'
import { makeCall } from '../clients/call.ts'
import { gentle, type Manners } from '../clients/manners.ts'
import { SessionClient } from '../clients/session-client.ts'
import type { World } from '../clients/world.ts'
import { Random } from '../random.ts'
import type { Script } from '../script.ts'
import type { Breakage } from '../server/breakage.ts'
import { type Look, shortDeadlines } from '../server/commands.ts'
import { ServerProcess } from '../server/server-process.ts'
import { createWorld, serveBroken, serveByHand, toFound, writeStream } from './worlds.ts'

const events = { count: 20, size: 50, paceMs: 3, awaited: true }
const script: Script = { call: 'a call', steps: [{ do: 'report', kind: 'message', events }], answerSize: 10 }
const empty: Script = { call: 'a call', steps: [], answerSize: 0 }
const answer = { content: [], mark: { session: 'client-1', series: 'a call', filler: '' } }
const played = { sent: 0, pushed: 0, asked: [] }

interface Calling {
  readonly script?: Script
  readonly manners?: Manners
  readonly times?: number
}

/** A client makes calls, one after the other. */
async function call(world: World, { manners = gentle, times = 1, ...given }: Calling): Promise<void> {
  const client = await SessionClient.open(world, new Random(1))
  for (let i = 0; client && i < times; i++) await makeCall(client, given.script ?? script, { manners })
  client?.leave()
}

interface Broken extends Calling {
  /** Side by side. */
  readonly clients?: number
  readonly hungAfterMs?: number
}

/** What the checker finds at a server that is broken in one way. */
async function findIn(kind: Breakage | undefined, { clients = 1, hungAfterMs, ...calling }: Broken = {}) {
  const world = createWorld(await serveBroken(kind), hungAfterMs)
  await Promise.all(Array.from({ length: clients }, () => call(world, calling)))
  return toFound(world.ledger)
}

describe('the checker, on the wire', () => {
  it('finds nothing at a server that works', async () => {
    expect(await findIn(undefined, { clients: 2, times: 3 })).toEqual([])
  })

  it('finds nothing at a server that works when its client cuts connections and comes back', async () => {
    const manners = { ...gentle, cutBytes: 500 }
    const world = createWorld(await serveBroken(undefined))
    await call(world, { manners })
    expect(toFound(world.ledger)).toEqual([])
    expect(world.ledger.figures.resumes).toBeGreaterThan(0)
  })

  it.each([
    ['drop', 'lost'],
    ['double', 'doubled'],
    ['swap', 'reordered'],
    ['damage', 'damaged'],
  ] as const)('sees tools that %s events: %s', async (kind, found) => {
    expect(await findIn(kind)).toEqual([found])
  })

  it('sees events of another session', async () => {
    expect(await findIn('foreign', { clients: 2, times: 5 })).toEqual(['foreign'])
  })

  it('counts every event that is lost', async () => {
    const world = createWorld(await serveBroken('drop'))
    await call(world, {})
    expect(world.ledger.counts.lost).toBe(2)
  })

  it('sees a lost event behind a cut', async () => {
    expect(await findIn('drop', { manners: { ...gentle, cutBytes: 500 } })).toEqual(['lost'])
  })

  it('counts calls that hang', async () => {
    expect(await findIn('hang', { script: empty, times: 7, hungAfterMs: 1_000 })).toEqual(['hung'])
  })

  it('sees a second answer', async () => {
    const result = { ...answer, played }
    const url = await serveByHand((id, response) => {
      writeStream(response, [
        { id, result },
        { id, result },
      ])
      response.end()
    })
    const world = createWorld(url)
    // Half of the calls stay for the end of the stream.
    await call(world, { script: empty, times: 6 })
    expect(toFound(world.ledger)).toEqual(['doubled'])
  })

  it.each([
    ['of another session', { session: 'client-2' }, 0, ['lost', 'foreign']],
    ['of another call', { series: 'another call' }, 0, ['foreign']],
    ['to another request', {}, 1, ['foreign']],
  ] as const)('sees an answer %s', async (_what, mark, shift, found) => {
    const result = { ...answer, mark: { ...answer.mark, ...mark }, played }
    const url = await serveByHand((id, response) => {
      writeStream(response, [{ id: id + shift, result }])
      response.end()
    })
    const world = createWorld(url)
    await call(world, { script: empty })
    expect(toFound(world.ledger)).toEqual(found)
  })

  it('sees an answer that never comes, though the client came back for it', async () => {
    const url = await serveByHand((_id, response) => {
      writeStream(response, [{ method: 'notifications/message', params: {} }])
      response.end()
    })
    const world = createWorld(url)
    await call(world, { script: empty })
    expect(toFound(world.ledger)).toEqual(['lost'])
  })

  it('sees a refusal that there is no reason for', async () => {
    const world = createWorld(await serveByHand((_id, response) => response.writeHead(404).end()))
    await call(world, { script: empty })
    expect(toFound(world.ledger)).toEqual(['refused'])
  })
})

describe('a series', () => {
  it('forgives what a client was told of, by the header or in the stream, and nothing else', () => {
    const series = new Series()
    series.connected(true)
    series.take(3)
    series.connected(false)
    series.told()
    series.take(5)
    series.take(7)
    series.end(8)
    expect(series.forgiven).toBe(3)
    expect(series.missing).toEqual([6, 8])
  })

  it('tells an event that comes late from one that comes twice', () => {
    const series = new Series()
    expect([1, 3, 2, 3].map((n) => series.take(n))).toEqual([undefined, undefined, 'reordered', 'doubled'])
  })
})

const nothing: Look = {
  stats: {
    ...{ sessions: 0, connections: 0, streams: 0, calls: 0, questions: 0, detachedCalls: 0, undeliveredMessages: 0 },
    bodyBytes: 0,
    log: { sessions: 0, streams: 0, events: 0, bytes: 0 },
  },
  ...{ sockets: 0, heap: 20e6, longestPauseMs: 0, errors: [], stray: [], foreignAnswers: [] },
}

/** What is found in what the server's process shows. */
function findAtEnd(look: Partial<Look>) {
  const ledger = new Ledger()
  const shown = { ...nothing, ...look }
  judgeHeld(ledger, 'After all', shown)
  judgeHeap(ledger, nothing.heap, shown.heap)
  judgeErrors(ledger, shown)
  return toFound(ledger)
}

describe('the checker, in the process of the server', () => {
  it('finds nothing where nothing is left', () => {
    expect(findAtEnd({})).toEqual([])
  })

  it('sees what is left', () => {
    expect(findAtEnd({ sockets: 1 })).toEqual(['held'])
    expect(findAtEnd({ stats: { ...nothing.stats, calls: 1 } })).toEqual(['held'])
    expect(findAtEnd({ stats: { ...nothing.stats, log: { ...nothing.stats.log, bytes: 1 } } })).toEqual(['held'])
  })

  it('sees a heap that grew by more than a tenth', () => {
    expect(findAtEnd({ heap: 21.9e6 })).toEqual([])
    expect(findAtEnd({ heap: 22.1e6 })).toEqual(['heap'])
  })

  it('sees errors, rejections, and answers that went to another session', () => {
    expect(findAtEnd({ errors: ['x'], stray: ['x'], foreignAnswers: ['x'] })).toEqual(['foreign', 'rejection', 'error'])
  })

  it('sees an unhandled rejection and a heap that grows, in a process of its own', async () => {
    const server = await ServerProcess.start({ mount: 'node', deadlines: shortDeadlines })
    onTestFinished(() => server.stop())
    const world = createWorld(server.url, 1_500)
    await call(world, { script: empty })
    const before = await server.request('settle')
    await server.request('break', 'leak')
    await call(world, { script: empty, times: 30 })
    await server.request('break', 'reject')
    // The seventh is never answered.
    await call(world, { script: empty, times: 7 })
    const after = await server.request('settle')
    judgeHeap(world.ledger, before.heap, after.heap)
    judgeErrors(world.ledger, after)
    expect(toFound(world.ledger)).toEqual(['hung', 'heap', 'rejection'])
  })
})
