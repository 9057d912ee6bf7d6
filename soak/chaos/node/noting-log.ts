import type { AppendOutcome, BusMessage, EventLog, LogEvent, MaybePromise } from '../../../packages/core/src/index.ts'
import type { FromNode } from './words.ts'

/** A log that says what is appended to it, and what it has acknowledged. */
export function createNotingLog(log: EventLog, say: (message: FromNode) => Promise<void>): EventLog {
  const publish = log.appendAndPublish?.bind(log)
  return {
    append: (sessionKey, events) => note(events, sessionKey, say, () => log.append(sessionKey, events)),
    ...(publish && {
      appendAndPublish: (sessionKey: string, events: readonly LogEvent[], messages: readonly BusMessage[]) =>
        note(events, sessionKey, say, () => publish(sessionKey, events, messages)),
    }),
    read: (sessionKey, streamTag, after, limit, from) => log.read(sessionKey, streamTag, after, limit, from),
    release: (sessionKey, streamTag) => log.release(sessionKey, streamTag),
    settle: (sessionKey, streamTag, index) => log.settle?.(sessionKey, streamTag, index),
    delete: (sessionKey, term) => log.delete(sessionKey, term),
    stats: () => log.stats(),
  }
}

async function note(
  events: readonly LogEvent[],
  sessionKey: string,
  say: (message: FromNode) => Promise<void>,
  append: () => MaybePromise<AppendOutcome>,
): Promise<AppendOutcome> {
  const said = events.map((event) => {
    const { streamTag, index, data } = event
    return say({ type: 'append', sessionKey, place: toPlace(event), streamTag, index, data })
  })
  await said.at(-1)
  const outcome = await append()
  for (const event of events) {
    if (outcome === 'ok') void say({ type: 'acked', sessionKey, place: toPlace(event) })
    else if (outcome === 'fenced') void say({ type: 'fenced', sessionKey, place: toPlace(event) })
  }
  return outcome
}

function toPlace({ streamTag, position }: LogEvent): string {
  return `${streamTag}.${position.term}-${position.n}`
}
