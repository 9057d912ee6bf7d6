import { tracingChannel } from 'node:diagnostics_channel'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { openSession } from '../../../test-support/in-process/test-client.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { sessionKey } from '../../core/src/index.ts'
import { ask, start, tell, view } from './start.ts'

describe('while nobody looks', () => {
  afterEach(() => vi.useRealTimers())
  const calls = tracingChannel('throughline.call')

  test('nothing is subscribed to, and what was kept is gone', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { endpoint, mounted } = start({}, { handlers: { add: () => 3 } })
    const client = await openSession(endpoint)
    await ask(mounted)
    expect(calls.hasSubscribers).toBe(false)
    await view(mounted)
    expect(calls.hasSubscribers).toBe(true)
    await client.call('add')
    vi.advanceTimersByTime(9_000)
    const { lastSeq, happenings } = await view(mounted)
    expect(happenings.length).toBeGreaterThan(0)
    vi.advanceTimersByTime(9_000)
    expect(calls.hasSubscribers).toBe(true)
    vi.advanceTimersByTime(1_001)
    expect(calls.hasSubscribers).toBe(false)
    expect(await view(mounted)).toMatchObject({ happenings: [], lastSeq })
  })

  test('the sessions are read when the page is asked for, once, and forgotten when it asks for nothing', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { endpoint, mounted } = start()
    await openSession(endpoint)
    const list = vi.spyOn(endpoint.sessions, 'list')
    await ask(mounted)
    expect(list).toHaveBeenCalledTimes(1)
    await Promise.all([ask(mounted), view(mounted)])
    expect(list).toHaveBeenCalledTimes(1)
    vi.advanceTimersByTime(10_001)
    await ask(mounted)
    expect(list).toHaveBeenCalledTimes(2)
  })

  test('a page comes also while the sessions cannot be read, and its question is told why', async () => {
    const { endpoint, errors, mounted } = start()
    vi.spyOn(endpoint.sessions, 'list').mockImplementation(() => {
      throw new Error('the store is away')
    })
    expect((await ask(mounted)).status).toBe(200)
    expect((await ask(mounted, '?view')).status).toBe(500)
    expect(errors).toMatchObject([{ message: 'the store is away' }])
  })

  test('a list that was being read when a session was ended is not kept', async () => {
    const { endpoint, mounted } = start()
    const client = await openSession(endpoint)
    const { list } = endpoint.sessions
    const [reading, goOn] = [deferred(), deferred()]
    const spied = vi.spyOn(endpoint.sessions, 'list').mockImplementationOnce(async function* () {
      for await (const info of list()) {
        reading.resolve()
        await goOn.promise
        yield info
      }
    })
    const seen = view(mounted)
    await reading.promise
    await tell(mounted, { action: 'end', key: await sessionKey(client.sessionId) })
    goOn.resolve()
    expect((await seen).total).toBe(1)
    expect((await view(mounted)).total).toBe(0)
    expect(spied).toHaveBeenCalledTimes(2)
  })

  test('and while somebody does, no more than the newest is kept', async () => {
    const { endpoint, mounted } = start({}, { handlers: { add: () => 3 } })
    const client = await openSession(endpoint)
    await view(mounted)
    for (let i = 0; i < 700; i++) await client.call('add')
    const { happenings, lastSeq } = await view(mounted)
    expect(lastSeq).toBeGreaterThanOrEqual(1_400)
    expect(happenings.length).toBeLessThan(1_000)
    expect(happenings.at(-1)?.seq).toBe(lastSeq)
  })

  test('what else there is to do gets its turn while many sessions are read', async () => {
    const { endpoint, mounted } = start({}, { maxSessions: 2_000 })
    for (let i = 0; i < 1_200; i++) await openSession(endpoint)
    let turns = 0
    const timer = setInterval(() => turns++, 0)
    onTestFinished(() => clearInterval(timer))
    expect((await view(mounted)).total).toBe(1_200)
    expect(turns).toBeGreaterThan(0)
  })
})
