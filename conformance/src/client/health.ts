import { HttpClient } from './http.ts'
import { modernHeaders, modernRequest } from './modern.ts'
import { openSession, responseIn } from './session.ts'
import type { Target } from './target.ts'
import { Transcript } from './transcript.ts'
import { patienceMs, within } from './waiting.ts'

/** `true` when the server still answers as it did: a fresh session and a ping, or `server/discover`. */
export async function isHealthy(target: Target): Promise<boolean> {
  const client = new HttpClient(target.url, new Transcript(), target.client)
  try {
    await within(
      target.offers.has('legacy') ? pingOnce(client, target) : discover(client),
      patienceMs,
      'A sign of life',
    )
    return true
  } catch {
    // Whatever it was: it is not how it answered before the checks.
    return false
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
