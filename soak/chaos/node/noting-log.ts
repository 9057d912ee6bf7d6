import type { AppendOutcome, EventLog, LogEvent } from '../../../packages/core/src/index.ts'
import type { FromNode } from './words.ts'

/** A log that says what is appended to it, and what it has acknowledged. */
export function createNotingLog(log: EventLog, say: (message: FromNode) => void): EventLog {
  return {
    append: (sessionKey, event) => append(log, sessionKey, event, say),
    read: (sessionKey, streamTag, after, limit, from) => log.read(sessionKey, streamTag, after, limit, from),
    release: (sessionKey, streamTag) => log.release(sessionKey, streamTag),
    settle: (sessionKey, streamTag, index) => log.settle?.(sessionKey, streamTag, index),
    delete: (sessionKey, term) => log.delete(sessionKey, term),
    stats: () => log.stats(),
  }
}

async function append(
  log: EventLog,
  sessionKey: string,
  event: LogEvent,
  say: (message: FromNode) => void,
): Promise<AppendOutcome> {
  const { streamTag, index, data, position } = event
  const place = `${streamTag}.${position.term}-${position.n}`
  say({ type: 'append', sessionKey, place, streamTag, index, data })
  const outcome = await log.append(sessionKey, event)
  if (outcome === 'ok') say({ type: 'acked', sessionKey, place })
  else if (outcome === 'fenced') say({ type: 'fenced', sessionKey, place })
  return outcome
}
