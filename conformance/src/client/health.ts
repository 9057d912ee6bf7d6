import { RateLimited } from './expect.ts'
import { HttpClient } from './http.ts'
import { modernHeaders, modernRequest } from './modern.ts'
import { openSession, responseIn } from './session.ts'
import type { Target } from './target.ts'
import { Transcript } from './transcript.ts'
import { delay, patienceMs, within } from './waiting.ts'

/** A server that was restarted, or is busy with what a check sent, gets as long. */
const recoveryMs = 2_000

/** What is wrong with the server now; `undefined` when it answers as it did, at once or after a while. */
export async function findAilment(target: Target): Promise<string | undefined> {
  const begunAt = performance.now()
  const ailment = await examine(target)
  // What did not answer for so long has had its time.
  if (ailment === undefined || performance.now() - begunAt > patienceMs) return ailment
  await delay(recoveryMs)
  return await examine(target)
}

async function examine(target: Target): Promise<string | undefined> {
  const transcript = new Transcript(target.secrets)
  const client = new HttpClient(target.url, transcript, target.client)
  const isLegacy = target.offers.has('legacy')
  try {
    const sign = isLegacy ? pingOnce(client, target) : discover(client)
    await within(sign, patienceMs + target.roundTripMs, 'A sign of life')
    return undefined
  } catch (error) {
    const message = transcript.conceal(error instanceof Error ? error.message : String(error))
    if (error instanceof RateLimited) return message
    return `${isLegacy ? 'opens no sessions' : 'does not answer server/discover'}: ${message}`
  } finally {
    client.close()
  }
}

async function pingOnce(client: HttpClient, { version }: Target): Promise<void> {
  const session = await openSession(client, version)
  await session.request('ping')
  if (session.id !== undefined) await session.delete()
}

async function discover(client: HttpClient): Promise<void> {
  const message = modernRequest('server/discover')
  await responseIn(await client.send('POST', { body: message, headers: modernHeaders(message) }), message.id)
}
