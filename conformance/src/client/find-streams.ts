import type { Need } from '../requirement.ts'
import type { HttpClient, SentExchange } from './http.ts'
import { openSession, type Session } from './session.ts'
import { delay } from './waiting.ts'

/** So long a stream of GET gets to begin with an event that has an id. */
const primingMs = 500

/**
 * Tries what may be answered by a stream, and notes it in `found`. What comes is judged by the checks: here it only has to
 * come.
 */
export async function findStreams(client: HttpClient, version: string, found: Need[]): Promise<void> {
  const session = await openSession(client, version, { initialized: false })
  await tolerate(session.notify('notifications/initialized'))
  const listening = await tolerate(session.get())
  if (listening?.status === 200) found.push('get-stream')
  const hasTool = client.settings.roles?.has('progress') === true
  await tolerate<unknown>(hasTool ? callWithProgress(session) : session.request('ping'))
  await tolerate(session.request('tools/list'))
  if (listening?.status === 200 && listening.stream.lastEventId === undefined) await delay(primingMs)
  listening?.abort()
  const ended = session.id === undefined ? undefined : await tolerate(session.delete())
  if (ended?.ok) found.push('delete')
}

async function callWithProgress(session: Session): Promise<void> {
  await (await session.call('progress', {}, { progressToken: 'probe' })).response()
}

/** What the bytes of all answers so far show, well-formed or not. */
export function evidenceIn(seen: readonly SentExchange[]): Need[] {
  const streams = seen.map(({ exchange }) => exchange).filter(({ isEventStream }) => isEventStream)
  const found: Need[] = []
  if (seen.some(({ method, exchange }) => method === 'POST' && exchange.isEventStream)) found.push('sse')
  if (streams.some(({ stream }) => /^id:/m.test(stream.raw.toString('utf8')))) found.push('resumption')
  return found
}

/** A defect met while looking is for a check to judge: what cannot be looked at is not offered. */
export async function tolerate<T>(promise: Promise<T>): Promise<T | undefined> {
  return await promise.catch(() => undefined)
}
