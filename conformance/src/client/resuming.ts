import type { Exchange } from './exchange.ts'
import { notTestable } from './expect.ts'
import { isResponse, type Message } from './json-rpc.ts'
import { messagesOn, type ProgressCall, progressCall } from './probes.ts'
import type { Session } from './session.ts'
import type { Target } from './target.ts'
import { delay } from './waiting.ts'

/** A finished call with ids on its stream. */
export async function finished(session: Session, count: number, token: string): Promise<ProgressCall> {
  return await (await progressCall(session, { count, progressToken: token, id: `${token}-call` })).finish()
}

/** The first id on a stream, be it of a priming event. */
export function firstId(exchange: Exchange): string {
  return exchange.stream.events.find(({ id }) => id)?.id ?? notTestable('no event of the call has an id')
}

/** Drops a connection, and gives the server the time to see it: to take over at once is a requirement of its own. */
export async function drop(exchange: Exchange, { client }: Session): Promise<void> {
  exchange.abort()
  await delay(100 + (client.settings.roundTripMs ?? 0))
}

/** What a resume with this id brings within `ms`, or until the stream ends. */
export async function replayed(
  session: Session,
  lastEventId: string,
  ms: number,
): Promise<{ exchange: Exchange; messages: Message[] }> {
  const exchange = await session.get({ lastEventId })
  if (exchange.isEventStream) await exchange.stream.endsWithin(ms + (session.client.settings.roundTripMs ?? 0))
  const messages = messagesOn(exchange)
  exchange.abort()
  return { exchange, messages }
}

/** What a resume of a finished call brings. A server may replay, and may have nothing left to replay. */
export async function replayedAgain(session: Session, lastEventId: string): Promise<Message[]> {
  const { exchange, messages } = await replayed(session, lastEventId, 1_500)
  if (exchange.refused) notTestable(`a call that was answered cannot be resumed: status ${exchange.status}`)
  return messages
}

export function isOfCall(message: Message): boolean {
  return isResponse(message) || message.method === 'notifications/progress'
}

/** Whether something can be sent on the standalone stream, and read. */
export function canPush({ roles, offers }: Target): boolean {
  return roles.has('push') && offers.has('get-stream')
}
