import { each } from '../load/each.ts'
import { type Headers, McpClient } from '../load/mcp-client.ts'
import type { ServerProcess } from '../server-process.ts'
import { openStreams } from './standing-streams.ts'
import type { Case, Figures, Prepared, Scale, Workload } from './workload.ts'

const counts: Readonly<Record<Scale, readonly number[]>> = {
  full: [1_000, 5_000, 10_000],
  quick: [1_000],
  tiny: [50],
}

async function prepareIdle(server: ServerProcess, count: number): Promise<Prepared> {
  const client = new McpClient(server, 16)
  const open = (): Promise<Headers[]> => each(count, 16, () => client.open())
  const close = async (sessions: readonly Headers[]): Promise<void> => {
    await each(sessions.length, 16, (index) => client.end(sessions[index] ?? {}))
  }

  async function measure(): Promise<Figures> {
    const before = await server.request('settle')
    const sessions = await open()
    const bare = await server.request('settle')
    const streams = await openStreams(client, server, sessions)
    const full = await server.request('settle')
    await Promise.all(streams.map((stream) => stream.close()))
    await close(sessions)
    const after = await server.request('settle')
    const perSession = (bytes: number): number => bytes / 1_024 / count
    return {
      sessionKb: perSession(bare.heapUsed - before.heapUsed),
      streamKb: perSession(full.heapUsed - bare.heapUsed),
      rssKb: perSession(full.rss - before.rss),
      returned: (100 * after.heapUsed) / before.heapUsed,
    }
  }

  // Code and tables that the first sessions bring would be counted as theirs.
  const first = await each(Math.min(count, 100), 16, () => client.open())
  const streams = await openStreams(client, server, first)
  await Promise.all(streams.map((stream) => stream.close()))
  await close(first)
  return { slice: measure, close: () => client.close() }
}

export const idle: Workload = {
  name: 'W3',
  title: 'idle sessions, each with an open GET stream',
  figures: [
    { key: 'sessionKb', title: 'heap KB per session', digits: 1 },
    { key: 'streamKb', title: 'heap KB per stream', digits: 1 },
    { key: 'rssKb', title: 'RSS KB per session with stream', digits: 1 },
    { key: 'returned', title: 'heap after close, % of before', digits: 1 },
  ],
  ratio: { key: 'sessionKb', of: 'cost' },
  preparation: 'once',
  cases: (scale) =>
    counts[scale].map(
      (count): Case => ({ name: `${count} sessions`, prepare: (server) => prepareIdle(server, count) }),
    ),
}
