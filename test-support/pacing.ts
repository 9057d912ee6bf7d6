import { expect } from 'vitest'
import { toText } from './client/mcp-client.ts'
import type { Reply } from './client/reply.ts'
import { report, type Tool } from './sdk-server.ts'
import { deferred } from './waiting.ts'

/** A tool that sends its next event only when the client has the one before: a buffer in between would hang the test. */
export function pacing(count = 5): {
  readonly paced: Tool
  /** Reads the reply to a call of it to its end. How long each event was on its way, in milliseconds. */
  readonly readDelays: (reply: Reply) => Promise<readonly number[]>
} {
  const arrivals = Array.from({ length: count }, () => deferred())
  const sentAt: number[] = []
  const paced: Tool = async (_args, extra) => {
    for (const [i, { promise }] of arrivals.entries()) {
      sentAt.push(performance.now())
      await report(extra, i)
      await promise
    }
    return 'done'
  }
  const readDelays = async (reply: Reply): Promise<number[]> => {
    const delays: number[] = []
    for (const [i, { resolve }] of arrivals.entries()) {
      const { message, at } = await reply.events.next()
      expect(message).toMatchObject({ params: { data: i } })
      delays.push(at - (sentAt[i] as number))
      resolve()
    }
    expect(toText(await reply.answer())).toBe('done')
    return delays
  }
  return { paced, readDelays }
}
