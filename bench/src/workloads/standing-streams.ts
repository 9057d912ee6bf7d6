import { setTimeout as sleep } from 'node:timers/promises'
import { each } from '../load/each.ts'
import type { Headers, McpClient } from '../load/mcp-client.ts'
import { RawStream } from '../load/raw-stream.ts'
import type { ServerProcess } from '../server-process.ts'

/**
 * How often a server is asked something, 20 ms apart, until it must have got to every GET. Not a time alone: a busy machine
 * may leave it without a turn for long. Some send no status before the first event, which is no refusal.
 */
const turns = 100

/** Opens a GET stream for each session. */
export async function openStreams(
  client: McpClient,
  server: ServerProcess,
  sessions: readonly Headers[],
): Promise<RawStream[]> {
  const streams = await each(sessions.length, 64, (index) => {
    const headers = { ...client.headersOf('GET', sessions[index] ?? {}), accept: 'text/event-stream' }
    return RawStream.open({ url: server.url, method: 'GET', headers })
  })
  for (let turn = 0; turn < turns && streams.some(({ status }) => status === undefined); turn++) {
    await sleep(20)
    await server.request('usage')
  }
  const refused = streams.filter(({ status = 200, isOpen }) => status !== 200 || !isOpen)
  if (refused.length === 0) return streams
  throw new Error(
    `${refused.length} of ${streams.length} GET streams were refused, the first with ${refused[0]?.status}`,
  )
}
