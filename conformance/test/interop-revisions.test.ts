import { describe, expect, it } from 'vitest'
import { startFixture } from '../mounts/index.ts'
import { patienceMs } from '../src/client/waiting.ts'
import { expectNothingHeld, serverKinds, upTo } from './interop/meet.ts'

interface Reply {
  readonly status: number
  readonly sessionId: string | null
  readonly contentType: string
  readonly text: string
}

function headersOf(sessionId: string | null, version: string): Record<string, string> {
  return {
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    ...(sessionId !== null && { 'mcp-session-id': sessionId, 'mcp-protocol-version': version }),
  }
}

/** Speaks one revision with nothing but fetch. */
function speaker(url: string, version: string) {
  let sessionId: string | null = null
  const signal = () => AbortSignal.timeout(patienceMs)
  return {
    async post(message: unknown): Promise<Reply> {
      const body = JSON.stringify(message)
      const response = await fetch(url, {
        method: 'POST',
        headers: headersOf(sessionId, version),
        body,
        signal: signal(),
      })
      sessionId ??= response.headers.get('mcp-session-id')
      const { status } = response
      return {
        status,
        sessionId,
        contentType: response.headers.get('content-type') ?? '',
        text: await response.text(),
      }
    },
    /** Reads the standalone stream until it has said `needle`. */
    async listen(needle: string): Promise<string> {
      const response = await fetch(url, { headers: headersOf(sessionId, version), signal: signal() })
      const decoder = new TextDecoder()
      let text = ''
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true })
        if (text.includes(needle)) break
      }
      return text
    },
    async end(): Promise<number> {
      const response = await fetch(url, { method: 'DELETE', headers: headersOf(sessionId, version), signal: signal() })
      return response.status
    },
  }
}

/** The `data` of every event, as text. */
function dataOf(stream: string): string[] {
  return stream
    .split('\n\n')
    .map((event) => event.split('\n').filter((line) => line.startsWith('data:')))
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map((line) => line.replace(/^data: ?/, '')).join('\n'))
}

function messageOf(reply: Reply): { result?: Record<string, unknown>; error?: unknown } {
  const text = reply.contentType.startsWith('text/event-stream') ? dataOf(reply.text).at(-1) : reply.text
  return JSON.parse(text ?? '') as { result?: Record<string, unknown> }
}

const versions = [
  { version: '2025-11-25', primed: true, batches: false },
  { version: '2025-06-18', primed: false, batches: false },
  { version: '2025-03-26', primed: false, batches: true },
]

for (const { name, adapter, response, createFactory } of serverKinds)
  describe(name, () => {
    it.each(versions)('speaks $version for real', async ({ version, primed, batches }) => {
      const { url, endpoint, close } = await startFixture({ adapter, response, server: createFactory() })
      const { post, listen, end } = speaker(url, version)
      try {
        const params = { protocolVersion: version, capabilities: {}, clientInfo: { name: 'raw', version: '1' } }
        const initialized = await post({ jsonrpc: '2.0', id: 0, method: 'initialize', params })
        expect(initialized.status).toBe(200)
        expect(messageOf(initialized).result).toMatchObject({ protocolVersion: version })
        expect(await post({ jsonrpc: '2.0', method: 'notifications/initialized' })).toMatchObject({
          status: 202,
          text: '',
        })

        const echo = {
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: { name: 'echo', arguments: { text: 'hi' } },
        }
        const answer = await post(echo)
        expect(messageOf(answer)).toMatchObject({ id: 1, result: { content: [{ type: 'text', text: 'hi' }] } })

        const burst = { name: 'burst', arguments: { count: 5 }, _meta: { progressToken: 'p' } }
        const streamed = await post({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: burst })
        expect(streamed.contentType).toBe('text/event-stream')
        const data = dataOf(streamed.text)
        expect(data.filter((text) => text === '')).toHaveLength(primed ? 1 : 0)
        if (primed) expect(data[0]).toBe('')
        const messages = data.filter((text) => text !== '').map((text) => JSON.parse(text) as Record<string, unknown>)
        expect(messages.slice(0, -1).map(({ params: sent }) => (sent as { progress: number }).progress)).toEqual(
          upTo(5),
        )
        expect(messages.at(-1)).toMatchObject({ id: 2, result: { content: [{ text: 'burst done' }] } })

        const push = { name: 'push', arguments: { count: 2, text: 'pushed' } }
        await post({ jsonrpc: '2.0', id: 3, method: 'tools/call', params: push })
        const standalone = dataOf(await listen('pushed:2'))
        expect(standalone.filter((text) => text === '')).toHaveLength(primed ? 1 : 0)
        expect(standalone.filter((text) => text.includes('pushed:'))).toHaveLength(2)

        const batch = await post([echo, { jsonrpc: '2.0', id: 4, method: 'ping' }])
        expect(batch.status).toBe(batches ? 200 : 400)
        if (batches && response === 'auto') {
          const answers = JSON.parse(batch.text) as { id: number }[]
          expect(answers.map(({ id }) => id).sort()).toEqual([1, 4])
        }
        expect(await end()).toBeLessThan(300)
        await expectNothingHeld(endpoint)
      } finally {
        await close()
      }
    })
  })
