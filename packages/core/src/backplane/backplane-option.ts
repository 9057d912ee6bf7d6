import { expected, isPlain, withMethods } from '../option-checks.ts'
import type { Backplane, EventLog, MessageBus, SessionStore } from './backplane.ts'
import { guardBackplane } from './guarded-backplane.ts'
import { createMemoryBackplane } from './memory/memory-backplane.ts'

const parts = {
  sessions: withMethods<SessionStore>(
    'create',
    'get',
    'update',
    'takeOver',
    'delete',
    'list',
    'renewLease',
    'hasLease',
  ),
  events: withMethods<EventLog>('append', 'read', 'release', 'delete', 'stats'),
  bus: withMethods<MessageBus>('publish', 'subscribe'),
}

/** How long a store may take to answer, in milliseconds, as its contract says. */
const storeTimeoutMs = 10_000

/** The check of the option `backplane`. Parts that are left out are kept in memory. */
export function toBackplane(value: unknown, name: string): Backplane {
  if (typeof value !== 'object' || value === null || isOther(value))
    throw expected(`${name} to be an object of stores, such as redisBackplane(client)`, value)
  const given = value as Partial<Record<string, unknown>>
  for (const part of Object.keys(given)) {
    if (Object.hasOwn(parts, part)) continue
    throw new TypeError(`Unknown part of the backplane: ${part} (known are ${Object.keys(parts).join(', ')})`)
  }
  const memory = createMemoryBackplane()
  const backplane = {
    sessions: parts.sessions(given.sessions ?? memory.sessions, 'backplane.sessions'),
    events: parts.events(given.events ?? memory.events, 'backplane.events'),
    bus: parts.bus(given.bus ?? memory.bus, 'backplane.bus'),
  }
  return guardBackplane(backplane, { timeoutMs: storeTimeoutMs })
}

/** Something that has no store, and is not what somebody writes who leaves all of them out. */
function isOther(value: object): boolean {
  return !isPlain(value) && !Object.keys(parts).some((part) => part in value)
}
