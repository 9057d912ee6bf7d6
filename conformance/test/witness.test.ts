import { expect, test } from 'vitest'
import { Exchange } from '../src/client/exchange.ts'
import type { SentRequest } from '../src/client/http.ts'
import { Transcript } from '../src/client/transcript.ts'
import { Witness } from '../src/client/witness.ts'

function toCall(session: string, progressToken: number): SentRequest {
  const params = { name: 'slow', _meta: { progressToken } }
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: progressToken, method: 'tools/call', params }))
  return { method: 'POST', headers: ['Mcp-Session-Id', session], body }
}

/** The head of its answer, an event stream, has come. */
function answer(): Exchange {
  const head = { status: 200, rawHeaders: ['Content-Type', 'text/event-stream'], httpVersion: '1.1' }
  return new Exchange(head, {
    what: '#1 POST',
    startedAt: 0,
    transcript: new Transcript(new Map()),
    abort: () => undefined,
  })
}

function tell(exchange: Exchange, progressToken: number): void {
  const message = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress: 1 } }
  exchange.push(Buffer.from(`data: ${JSON.stringify(message)}\n\n`))
}

/** A session gets progress that another has asked for; and this one too, where it says so. */
function mixUp(asksToo: boolean): Witness {
  const witness = new Witness()
  const mine = toCall('mine', 1)
  witness.asked(toCall('theirs', 2))
  witness.asked(mine)
  const exchange = answer()
  witness.watch({ ...mine, exchange }, 'a check')
  if (asksToo) witness.asked(toCall('mine', 2))
  tell(exchange, 2)
  return witness
}

test('progress is foreign where another session alone has asked for it', () => {
  const witness = mixUp(false)
  expect(witness.findings('place')).toHaveLength(1)
  expect(witness.wasDisturbed('a check')).toBe(true)
})

test('it is not where this one has asked too, and its answer has not begun', () => {
  const witness = mixUp(true)
  expect(witness.findings('place')).toEqual([])
  expect(witness.wasDisturbed('a check')).toBe(false)
})
