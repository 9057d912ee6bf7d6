import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { collectGarbage } from '../../../test-support/collect-garbage.ts'
import { openSession } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { listen } from '../../../test-support/listen.ts'
import { waitFor } from '../../../test-support/waiting.ts'
import { toNodeHandler } from '../src/node/index.ts'

const count = 3_000
const filler = 'x'.repeat(65_536)

function heldBytes(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Collects the `progress` numbers of an event stream, and the last id. */
function read(socket: Socket, seen: number[]): { lastEventId: () => string; done: Promise<void> } {
  let rest = ''
  let lastEventId = ''
  socket.on('data', (chunk: Buffer) => {
    rest += chunk.toString('latin1')
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const block = rest.slice(0, end)
      rest = rest.slice(end + 2)
      lastEventId = /^id: (.+)$/m.exec(block)?.[1] ?? lastEventId
      const progress = /"progress":(\d+)/.exec(block)
      if (progress) seen.push(Number(progress[1]))
    }
  })
  return { lastEventId: () => lastEventId, done: new Promise((resolve) => socket.once('close', () => resolve())) }
}

test('a reader that stalls costs little, is closed in time, and then resumes completely', async () => {
  const { endpoint } = createTestEndpoint(
    {
      flow: async ({ notify, params }) => {
        for (let i = 1; i <= Number(params.count); i++)
          await notify('notifications/progress', { progressToken: 1, progress: i, filler })
        return {}
      },
    },
    { stallMs: 1_000, response: 'sse' },
  )
  const { port } = await listen(toNodeHandler(endpoint))
  const { sessionId } = await openSession(endpoint)
  const head = `host: localhost\r\nconnection: close\r\naccept: application/json, text/event-stream\r\nmcp-session-id: ${sessionId}\r\n`

  const call = (params: { count: number }): Socket => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'flow', params })
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(
      `POST /mcp HTTP/1.0\r\n${head}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    return socket
  }
  // Code and buffers that any first call brings along are not the reader's cost.
  await read(call({ count: 50 }), []).done

  const logBefore = endpoint.stats().log.bytes
  const before = heldBytes()
  const seen: number[] = []
  const first = call({ count })
  await new Promise((resolve) => first.once('readable', resolve))
  // It reads no further. What the kernel takes is not ours to count; what the log holds has a budget of its own.
  await waitFor(() => endpoint.stats().connections === 0, 8_000)
  // What other turns still look at is not held.
  await waitFor(() => heldBytes() - before - (endpoint.stats().log.bytes - logBefore) < 2 * 1_048_576)
  expect(endpoint.stats()).toMatchObject({ calls: 1, detachedCalls: 1 })
  expect(endpoint.stats().log.bytes).toBeLessThan(8_388_608 + 100_000)

  // What had reached the client's kernel is read now, then the rest is asked for.
  const cut = read(first, seen)
  await cut.done
  const second = connect(port, '127.0.0.1')
  const resumed = read(second, seen)
  second.write(`GET /mcp HTTP/1.0\r\n${head}last-event-id: ${cut.lastEventId()}\r\n\r\n`)
  await resumed.done
  expect(seen).toHaveLength(count)
  expect(seen.every((progress, i) => progress === i + 1)).toBe(true)
  await endpoint.close({ drainMs: 0 })
}, 60_000)
