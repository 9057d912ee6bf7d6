import { type Headers, McpClient } from '../load/mcp-client.ts'
import { readMessages, toCall } from '../load/messages.ts'
import type { ServerProcess } from '../server-process.ts'
import { quantile } from '../statistics.ts'
import { measureCpu } from './measure.ts'
import type { Case, Figures, Prepared, Workload } from './workload.ts'

const eventsPerCall = 1_000

interface Streaming {
  readonly pace: 'burst' | 'paced'
  readonly width: number
}

interface CallTimes {
  readonly firstMs: number
  readonly body: string
}

async function readCall(client: McpClient, session: Headers, text: string): Promise<CallTimes> {
  const startedAt = performance.now()
  const chunks: Buffer[] = []
  let firstMs = Number.NaN
  await client.stream('POST', {
    session,
    body: text,
    onChunk(chunk) {
      // An event without data comes first from servers that prime the cursor.
      if (Number.isNaN(firstMs) && chunk.includes('progress')) firstMs = performance.now() - startedAt
      chunks.push(chunk)
      return undefined
    },
  })
  return { firstMs, body: Buffer.concat(chunks).toString() }
}

/** @throws Error unless every event is there, in order, and the answer behind them. */
function checkProgress(body: string, id: number): void {
  const messages = readMessages(body)
  const progress = messages.flatMap(({ params }) => params?.progress ?? [])
  const isComplete = progress.length === eventsPerCall && progress.every((value, index) => value === index + 1)
  if (!isComplete || messages.at(-1)?.id !== id) {
    throw new Error(
      `Expected ${eventsPerCall} events in order and an answer, got ${progress.length} of ${messages.length}`,
    )
  }
}

async function prepareProgress(server: ServerProcess, { pace, width }: Streaming): Promise<Prepared> {
  const client = new McpClient(server, width)
  const session = await client.open()

  /** `width` calls at once. They are read while it counts, and checked after. */
  async function runBatch(): Promise<{ ms: number; firstMs: number[] }> {
    const ids = Array.from({ length: width }, (_, index) => index + 1)
    const texts = ids.map((id) => toCall(id, 'progress', { count: eventsPerCall, pace }, `token-${id}`))
    const startedAt = performance.now()
    const read = await Promise.all(texts.map((text) => readCall(client, session, text)))
    const ms = performance.now() - startedAt
    for (const [index, { body }] of read.entries()) checkProgress(body, index + 1)
    return { ms, firstMs: read.map(({ firstMs }) => firstMs) }
  }

  async function slice(durationMs: number): Promise<Figures> {
    const firstMs: number[] = []
    let busyMs = 0
    const { value: events, cpuUs } = await measureCpu(server, async () => {
      const startedAt = performance.now()
      let batches = 0
      do {
        const batch = await runBatch()
        busyMs += batch.ms
        firstMs.push(...batch.firstMs)
        batches++
      } while (performance.now() - startedAt < durationMs)
      return batches * width * eventsPerCall
    })
    firstMs.sort((a, b) => a - b)
    return { perSecond: events / (busyMs / 1_000), cpuUs: cpuUs / events, firstMs: quantile(firstMs, 0.5) }
  }

  return {
    slice,
    async close() {
      await client.end(session)
      await client.close()
    },
  }
}

/** The tiny scale has the first. */
const settings: readonly Streaming[] = [
  { pace: 'burst', width: 1 },
  { pace: 'burst', width: 16 },
  { pace: 'paced', width: 1 },
  { pace: 'paced', width: 16 },
]

export const progress: Workload = {
  name: 'W4',
  title: 'calls that send 1,000 progress events each; paced lets the event loop turn between two events',
  figures: [
    { key: 'perSecond', title: 'events/s', digits: 0 },
    { key: 'cpuUs', title: 'CPU µs per event', digits: 2 },
    { key: 'firstMs', title: 'first event ms', digits: 2 },
  ],
  ratio: { key: 'perSecond', of: 'rate' },
  preparation: 'kept',
  cases: (scale) =>
    settings.slice(0, scale === 'tiny' ? 1 : undefined).map(
      (streaming): Case => ({
        name: `${streaming.pace}, ${streaming.width} at a time`,
        prepare: (server) => prepareProgress(server, streaming),
      }),
    ),
}
