import type { CheckContext } from './context.ts'
import type { Exchange } from './exchange.ts'
import { notTestable } from './expect.ts'
import { request } from './json-rpc.ts'
import { awaitLog, progressCall } from './probes.ts'

/** Ends when the server ends it, or soon after, when it is one that stays open. */
export async function finished(exchange: Exchange): Promise<Exchange> {
  await exchange.stream.endsWithin(1_000)
  return exchange
}

/**
 * Streams of every kind that the server offers: the standalone one, open, and those of answers, finished. Servers that
 * answer everything by a stream need no tool for it.
 */
export async function streamsOf({ open, target }: CheckContext): Promise<Exchange[]> {
  const session = await open()
  const made: Exchange[] = []
  if (target.offers.has('get-stream')) {
    const listening = await session.listen()
    made.push(listening)
    if (target.roles.has('push')) {
      await session.text('push', { count: 2, text: 'p' })
      await awaitLog(listening, 'p:2')
    }
  }
  const listed = await session.post(request('tools/list'))
  await listed.begun()
  if (listed.isEventStream) made.push(await finished(listed))
  if (target.offers.has('sse')) {
    const call = await progressCall(session)
    await call.finish()
    made.push(call.exchange)
  }
  const firstId = made.findLast((exchange) => exchange.ended)?.stream.events[0]?.id
  if (target.offers.has('resumption') && target.offers.has('get-stream') && firstId !== undefined) {
    const resumed = await finished(await session.get({ lastEventId: firstId }))
    if (resumed.isEventStream) made.push(resumed)
  }
  if (made.length === 0) notTestable('needs a server that opens an event stream, on GET or to answer')
  return made
}
