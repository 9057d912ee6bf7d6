import { setTimeout as sleep } from 'node:timers/promises'
import { each } from '../load/each.ts'
import type { Headers, McpClient } from '../load/mcp-client.ts'
import { RawStream } from '../load/raw-stream.ts'

/** How long a server may take until it has answered GET with a status. Some send none before the first event. */
const headWaitMs = 2_000

/** Opens a GET stream for each session. */
export async function openStreams(client: McpClient, url: string, sessions: readonly Headers[]): Promise<RawStream[]> {
  const streams = await each(sessions.length, 64, (index) => {
    const { 'content-type': _contentType, ...headers } = client.headersOf(sessions[index] ?? {})
    return RawStream.open({ url, method: 'GET', headers: { ...headers, accept: 'text/event-stream' } })
  })
  const waitUntil = performance.now() + headWaitMs
  while (performance.now() < waitUntil && streams.some(({ status }) => status === undefined)) await sleep(20)
  const refused = streams.filter(({ status = 200, isOpen }) => status !== 200 || !isOpen)
  if (refused.length === 0) return streams
  throw new Error(
    `${refused.length} of ${streams.length} GET streams were refused, the first with ${refused[0]?.status}`,
  )
}
