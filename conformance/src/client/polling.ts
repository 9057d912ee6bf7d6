import type { CuttingProxy } from './cutting-proxy.ts'
import { readable } from './event-reader.ts'
import type { Exchange } from './exchange.ts'
import { expectThat, fail } from './expect.ts'
import type { Id, Message } from './json-rpc.ts'
import { isResponse } from './json-rpc.ts'
import { logsIn } from './probes.ts'
import type { Session } from './session.ts'
import { delay, patienceMs } from './waiting.ts'

const mostConnections = 40

export interface PolledRun {
  readonly id: Id
  /** Messages over all connections, in order. */
  readonly messages: readonly Message[]
  readonly connections: number
}

/**
 * When a connection is to be dropped: resolves when it has seen enough, with how many of its events the client took.
 * The others were still on their way, as far as anyone can tell.
 */
export type Cut = (exchange: Exchange) => Promise<number>

const never: Cut = async (exchange) => {
  await exchange.stream.answered(1)
  return exchange.stream.events.length
}

type Resume = (lastEventId: string) => Promise<Exchange>

/**
 * Posts a call and resumes it with the last id seen, as often as its connection ends, until its response came.
 * `cut` decides when the client itself drops a connection; by default it never does.
 */
export async function runPolled(
  session: Session,
  message: Message,
  cut: Cut = never,
  resume: Resume = (lastEventId) => session.get({ lastEventId }),
): Promise<PolledRun> {
  const id = message.id ?? fail('Expected a request')
  const messages: Message[] = []
  let exchange = await session.post(message)
  let lastEventId: string | undefined
  for (let round = 0; round < mostConnections; round++) {
    expectThat(exchange.status === 200, `Expected a stream, got status ${exchange.status}`)
    if (!exchange.isEventStream) return { id, messages: await exchange.messages(), connections: 1 }
    // On a busy machine chance may cut each connection before its first event: the last one is left alone.
    const taken = await (round < mostConnections - 1 ? cut : never)(exchange)
    exchange.abort()
    const events = exchange.stream.events.slice(0, taken)
    messages.push(...events.flatMap(readable))
    if (messages.some((received) => isResponse(received) && received.id === id)) {
      return { id, messages, connections: round + 1 }
    }
    lastEventId = events.findLast((event) => (event.id ?? '') !== '')?.id ?? lastEventId
    expectThat(lastEventId !== undefined, 'Expected an event with an id before the connection ended')
    exchange = await resume(lastEventId)
  }
  return fail(`Expected the response within ${mostConnections} connections`)
}

/** So that a call ends even where no connection lives long enough to bring anything. */
const mostCuts = 8

/**
 * Posts a call through `proxy`, which cuts the first connection at its first event, and each later one when it has been
 * open for `everyMs`. A clock of its own would cut, on a busy machine, where nothing is open yet.
 */
export async function runThroughCuts(
  session: Session,
  message: Message,
  { proxy, everyMs }: { proxy: CuttingProxy; everyMs: number },
): Promise<PolledRun> {
  let cuts = 0
  const cutOnce = () => {
    cuts += 1
    proxy.cut()
  }
  const untilCut: Cut = async ({ stream }) => {
    if (cuts === 0) {
      await stream.next()
      cutOnce()
    }
    const timer = cuts < mostCuts ? setTimeout(cutOnce, everyMs) : undefined
    await stream.answered(1)
    clearTimeout(timer)
    return stream.events.length
  }
  return runPolled(session, message, untilCut, (lastEventId) => resumeStubbornly(session, lastEventId))
}

/** A connection that was kept may have been cut as well, and the server may not have seen the last cut yet. */
async function resumeStubbornly(session: Session, lastEventId: string): Promise<Exchange> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const exchange = await session.get({ lastEventId }).catch((error: unknown) => {
      if (performance.now() > deadline) throw error
      return undefined
    })
    if (exchange !== undefined && (exchange.status !== 409 || performance.now() > deadline)) return exchange
    await delay(20)
  }
}

/**
 * Listens on the standalone stream from `lastEventId` on, dropping the connection again and again at random, until
 * `count` log messages came. Resolves with their texts, as a client that takes each event once has them.
 */
export async function listenPolled(session: Session, lastEventId: string, count: number): Promise<string[]> {
  const texts: string[] = []
  // Where something was lost the whole of a calm connection is waited for after it, and the check must come to its end.
  const deadline = performance.now() + patienceMs / 2
  let cursor = lastEventId
  while (texts.length < count && performance.now() < deadline) {
    const exchange = await session.resume(cursor)
    await delay(Math.random() * 15)
    const taken = exchange.stream.events.slice(0, 1 + Math.floor(Math.random() * exchange.stream.events.length))
    exchange.abort()
    for (const event of taken) {
      if ((event.id ?? '') !== '') cursor = event.id ?? cursor
      texts.push(...logsIn(readable(event)))
    }
  }
  if (texts.length >= count) return texts
  return [...texts, ...(await listenCalmly(session, cursor, count - texts.length))]
}

/** On a busy machine dropping at random comes to no end: what is lost then must be missing from a whole connection too. */
async function listenCalmly(session: Session, lastEventId: string, count: number): Promise<string[]> {
  const deadline = performance.now() + patienceMs
  const exchange = await session.resume(lastEventId)
  const logs = () => exchange.stream.events.flatMap((event) => logsIn(readable(event)))
  while (logs().length < count && performance.now() < deadline) await delay(20)
  exchange.abort()
  return logs()
}
