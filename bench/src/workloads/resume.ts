import { createCounter } from '../load/counter.ts'
import { each } from '../load/each.ts'
import { type Headers, McpClient } from '../load/mcp-client.ts'
import { type Received, readEvents, toCall } from '../load/messages.ts'
import type { ServerProcess } from '../server-process.ts'
import { quantile } from '../statistics.ts'
import { measureCpu } from './measure.ts'
import type { Case, Figures, Prepared, Scale, Workload } from './workload.ts'

interface Resuming {
  readonly events: number
  /** Other sessions, each with a finished stream of ten events. */
  readonly others: number
}

const settings: Readonly<Record<Scale, readonly Resuming[]>> = {
  full: [
    { events: 1_000, others: 0 },
    { events: 10_000, others: 0 },
    { events: 10_000, others: 10_000 },
  ],
  quick: [
    { events: 1_000, others: 0 },
    { events: 10_000, others: 0 },
    { events: 10_000, others: 1_000 },
  ],
  tiny: [{ events: 100, others: 5 }],
}

/** Silence after which no more is expected: what is missing by then is lost. */
const silenceMs = 1_000

async function prepareResume(server: ServerProcess, { events, others }: Resuming): Promise<Prepared> {
  const client = new McpClient(server, 8)
  const session = await client.open()
  const firstId = await store(client, session, events)
  const otherSessions = await each(others, 8, async () => {
    const other = await client.open()
    await store(client, other, 10)
    return other
  })

  async function slice(durationMs: number): Promise<Figures> {
    const times: number[] = []
    let replayed = 0
    let missing = 0
    let disordered = 0
    const { cpuUs } = await measureCpu(server, async () => {
      const startedAt = performance.now()
      do {
        const { ms, body } = await replay(client, { ...session, 'last-event-id': firstId }, events)
        const seen = progressOf(body)
        times.push(ms)
        replayed += seen.length
        missing += events - 1 - new Set(seen).size
        disordered += seen.filter((value, index) => index > 0 && value < (seen[index - 1] ?? 0)).length
      } while (performance.now() - startedAt < durationMs)
    })
    const seconds = times.reduce((sum, ms) => sum + ms, 0) / 1_000
    const runs = times.length
    times.sort((a, b) => a - b)
    return {
      perSecond: replayed / seconds,
      cpuUs: cpuUs / replayed,
      lastMs: quantile(times, 0.5),
      missing: missing / runs,
      disordered: disordered / runs,
    }
  }

  return {
    slice,
    async close() {
      await each(others, 8, (index) => client.end(otherSessions[index] ?? {}))
      await client.end(session)
      await client.close()
    },
  }
}

/** Runs a call to its end, and gives the id of its first progress event. */
async function store(client: McpClient, session: Headers, events: number): Promise<string> {
  const { text } = await client.send('POST', session, toCall(1, 'progress', { count: events, pace: 'burst' }, 'token'))
  const first = readEvents(text).find(({ data }) => data.includes('"progress":1,'))
  if (first?.eventId === undefined) throw new Error(`Expected events with ids, got ${text.slice(0, 200)}`)
  return first.eventId
}

/** Reads until as many messages are there as must come, or nothing comes any more. Checked later: that would count. */
async function replay(client: McpClient, session: Headers, events: number): Promise<{ ms: number; body: string }> {
  const chunks: Buffer[] = []
  // Servers keep the stream open, so its end tells nothing.
  const count = createCounter('"jsonrpc"')
  const startedAt = performance.now()
  let lastAt = startedAt
  await client.stream('GET', {
    session,
    silenceMs,
    onChunk(chunk) {
      lastAt = performance.now()
      chunks.push(chunk)
      // All events but the first, and the answer.
      return count(chunk) < events
    },
  })
  return { ms: lastAt - startedAt, body: Buffer.concat(chunks).toString() }
}

function progressOf(body: string): number[] {
  return readEvents(body).flatMap(({ data }) => {
    if (!data.includes('"progress"')) return []
    return (JSON.parse(data) as Received).params?.progress ?? []
  })
}

export const resume: Workload = {
  name: 'W6',
  title: 'resume of a finished call after its first event',
  figures: [
    { key: 'perSecond', title: 'events/s', digits: 0 },
    { key: 'cpuUs', title: 'CPU µs per event', digits: 2 },
    { key: 'lastMs', title: 'last byte ms', digits: 1 },
    { key: 'missing', title: 'missing per resume', digits: 0 },
    { key: 'disordered', title: 'out of order per resume', digits: 0 },
  ],
  ratio: { key: 'perSecond', of: 'rate' },
  preparation: 'kept',
  cases: (scale) =>
    settings[scale].map(
      (resuming): Case => ({
        name: `${resuming.events} events, ${resuming.others} other sessions`,
        prepare: (server) => prepareResume(server, resuming),
      }),
    ),
}
