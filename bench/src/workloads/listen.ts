import type { Usage } from '../commands.ts'
import { McpClient } from '../load/mcp-client.ts'
import type { ServerProcess } from '../server-process.ts'
import { openSubscriptions } from './standing-streams.ts'
import type { Case, Figures, Prepared, Scale, Workload } from './workload.ts'

const counts: Readonly<Record<Scale, readonly number[]>> = { full: [1_000, 10_000], quick: [1_000], tiny: [50] }

async function prepareListen(server: ServerProcess, count: number): Promise<Prepared> {
  const client = new McpClient(server, 1)

  async function measure(): Promise<Figures> {
    const before = await settle(server)
    const streams = await openSubscriptions(client, server, count)
    const full = await settle(server)
    await Promise.all(streams.map((stream) => stream.close()))
    const after = await settle(server)
    return {
      streamKb: (full.heapUsed - before.heapUsed) / 1_024 / count,
      rssKb: (full.rss - before.rss) / 1_024 / count,
      returned: (100 * after.heapUsed) / before.heapUsed,
    }
  }

  // Code and tables that the first streams bring would be counted as theirs.
  const first = await openSubscriptions(client, server, Math.min(count, 1_000))
  await Promise.all(first.map((stream) => stream.close()))
  return { slice: measure, close: () => client.close() }
}

/** Collects until little falls: a busy server closes its side of thousands of connections later than we do. */
async function settle(server: ServerProcess): Promise<Usage> {
  let usage = await server.request('settle')
  for (let tries = 0; tries < 20; tries++) {
    const { heapUsed } = usage
    usage = await server.request('settle')
    if (usage.heapUsed > 0.99 * heapUsed) break
  }
  return usage
}

export const listen: Workload = {
  name: 'W12',
  title: 'open `subscriptions/listen` streams (floor: a bare response that stays open)',
  figures: [
    { key: 'streamKb', title: 'heap KB per stream', digits: 2 },
    { key: 'rssKb', title: 'RSS KB per stream', digits: 1 },
    { key: 'returned', title: 'heap after close, % of before', digits: 1 },
  ],
  ratio: { key: 'streamKb', of: 'cost' },
  preparation: 'once',
  cases: (scale) =>
    counts[scale].map(
      (count): Case => ({ name: `${count} streams`, prepare: (server) => prepareListen(server, count) }),
    ),
}
