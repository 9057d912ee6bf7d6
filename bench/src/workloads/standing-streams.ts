import { setTimeout as sleep } from 'node:timers/promises'
import { each } from '../load/each.ts'
import type { Headers, McpClient } from '../load/mcp-client.ts'
import { toModernRequest } from '../load/modern.ts'
import { type RawRequest, RawStream } from '../load/raw-stream.ts'
import type { ServerProcess } from '../server-process.ts'

/**
 * How often a server is asked something, 20 ms apart and without one stream more, until it must have got to every
 * request. Not a time alone: a busy machine may leave it without a turn for long.
 */
const turns = 100

/** Opens a GET stream for each session. */
export async function openStreams(
  client: McpClient,
  server: ServerProcess,
  sessions: readonly Headers[],
): Promise<RawStream[]> {
  const count = sessions.length
  const streams = await each(count, 64, (index) => {
    const headers = { ...client.headersOf('GET', sessions[index] ?? {}), accept: 'text/event-stream' }
    return RawStream.open({ url: server.url, method: 'GET', headers })
  })
  // Some send no status before the first event, which is no refusal.
  await untilOpen(server, count, () => streams.filter(({ status }) => status !== undefined).length)
  await checkOpen(streams, ({ status = 200, isOpen }) => status === 200 && isOpen)
  return streams
}

/** Opens streams that each listen to changes of the list of tools. Their clients speak 2026-07-28, whatever the target's do. */
export async function openSubscriptions(client: McpClient, server: ServerProcess, count: number): Promise<RawStream[]> {
  const acknowledged = new Set<RawStream>()
  const streams = await each(count, 64, async (index) => {
    const stream = await RawStream.open(toListen(client, server, index + 1))
    let begin = ''
    stream.onData = (chunk) => {
      if (!acknowledged.has(stream)) begin += chunk.toString()
      if (acknowledgement.test(begin)) acknowledged.add(stream)
    }
    return stream
  })
  await untilOpen(server, count, () => acknowledged.size)
  await checkOpen(streams, (stream) => acknowledged.has(stream) && stream.isOpen)
  for (const stream of streams) stream.onData = undefined
  return streams
}

/** With all that was asked for: a server that cannot tell of it acknowledges less. */
const acknowledgement = /"notifications\/subscriptions\/acknowledged".*"toolsListChanged":true/

function toListen(client: McpClient, { url }: ServerProcess, id: number): RawRequest {
  const { headers, body } = toModernRequest(id, 'subscriptions/listen', { notifications: { toolsListChanged: true } })
  return { url, method: 'POST', headers: client.headersOf('POST', headers), body }
}

async function untilOpen(server: ServerProcess, count: number, countOpen: () => number): Promise<void> {
  let open = countOpen()
  for (let turn = 0; turn < turns && open < count; turn++) {
    await sleep(20)
    await server.request('usage')
    if (countOpen() > open) turn = 0
    open = countOpen()
  }
}

/** Closes all where one is not: the next target needs the files. */
async function checkOpen(streams: readonly RawStream[], isOpen: (stream: RawStream) => boolean): Promise<void> {
  const refused = streams.filter((stream) => !isOpen(stream))
  if (refused.length === 0) return
  const [first] = refused
  await Promise.all(streams.map((stream) => stream.close()))
  throw new Error(`${refused.length} of ${streams.length} streams were refused, the first with ${first?.status}`)
}
