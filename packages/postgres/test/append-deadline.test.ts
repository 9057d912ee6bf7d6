import type { LogEvent } from '@throughline/mcp-http-core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Batches } from '../src/batches.ts'
import type { ClientPort } from '../src/client/postgres-client.ts'
import { Database } from '../src/database.ts'
import { PostgresEventLog } from '../src/event-log.ts'
import { PostgresBus } from '../src/message-bus.ts'
import { Sweeper } from '../src/sweeper.ts'

/** Of the contract: {@link EventLog}. */
const deadlineMs = 10_000

describe('an append settles within the deadline of the contract', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('when the trim after it takes long: the events are stored', async () => {
    const port = {
      async query(text: string) {
        if (text.includes('append_1')) return [{ outcomes: '{ok}' }]
        return await new Promise<never>(() => undefined)
      },
    } as unknown as ClientPort
    const database = new Database(port, 'mcp')
    const bounds = { maxEventsPerSession: 1, maxBytesPerSession: 1 }
    const [sweeper, bus] = [new Sweeper(database, 60_000), new PostgresBus(database, undefined)]
    const log = new PostgresEventLog({ database, sweeper, bus, bounds })
    const event: LogEvent = {
      ...{ streamTag: 's', index: 1, position: { term: 1, n: 1 } },
      ...{ kind: 'message', data: 'text', last: false, requestIds: [] },
    }
    const outcomes: string[] = []
    void log.append('key', [event]).then((outcome) => outcomes.push(outcome))
    await vi.advanceTimersByTimeAsync(deadlineMs)
    expect(outcomes).toEqual(['ok'])
  })

  test('when the batches before it take long, and succeed', async () => {
    const replyMs = 3_900
    const batches = new Batches(async (inputs: readonly number[]) => {
      await new Promise((resolve) => setTimeout(resolve, replyMs))
      return inputs
    })
    // Each fills a batch.
    const added = [1, 2, 3].map((input) => batches.add(input, 4_000_000))
    const settled = Promise.allSettled(added).then((all) => all.map(({ status }) => status))
    const late = new Promise((resolve) => setTimeout(() => resolve('late'), deadlineMs))
    const first = Promise.race([settled, late])
    await vi.advanceTimersByTimeAsync(deadlineMs)
    expect(await first).toEqual(['fulfilled', 'fulfilled', 'rejected'])
  })
})
