import {
  anOptionalFunction,
  type Backplane,
  checkOptions,
  expected,
  option,
  wholeNumber,
} from '@throughline/mcp-http-core'
import { type RedisClient, toClientPort } from './client/redis-client.ts'
import { RedisPort } from './client/redis-port.ts'
import { RedisEventLog } from './event-log.ts'
import { watchEviction } from './eviction.ts'
import { Keys, toPlace } from './keys.ts'
import { RedisBus } from './message-bus.ts'
import { RedisSessionStore } from './session-store.ts'

export interface RedisBackplaneOptions {
  /**
   * Before the name of every key and channel. Deployments that share a database need one each.
   * @default 'mcp'
   */
  keyPrefix?: string
  /**
   * Bytes of events, with what keeping them takes beside, that one session may have. It must exceed what a kernel
   * buffers for one connection, or a cut connection loses events. Twice as many where nothing may be dropped.
   * @default 8_388_608
   */
  maxBytesPerSession?: number
  /** @default 10_000 */
  maxEventsPerSession?: number
  /**
   * How long, in milliseconds, a finished stream is kept after its last event was written to a connection. It goes when
   * the next of its session is finished.
   * @default 60_000
   */
  retainMs?: number
  /**
   * Told once, in a sentence, that the server is set up so that sessions get lost.
   * @default console.warn
   */
  onWarning?: (warning: string) => void
}

const table = {
  keyPrefix: option('mcp', aKeyPrefix),
  maxBytesPerSession: option(8_388_608, wholeNumber(1, Number.MAX_SAFE_INTEGER)),
  maxEventsPerSession: option(10_000, wholeNumber(1, Number.MAX_SAFE_INTEGER)),
  retainMs: option(60_000, wholeNumber(1)),
  onWarning: option(undefined, anOptionalFunction<(warning: string) => void>()),
}

/**
 * Keeps sessions, events and messages in Redis 6.2 or later, or Valkey, so that several nodes serve one deployment. The
 * client stays yours: connect it, listen to its errors and close it. One more connection, a duplicate of it, is open
 * while the endpoint listens for the messages of other nodes.
 * @throws TypeError for a bad option, naming it, and for what is no known client.
 */
export function redisBackplane(client: RedisClient, options: RedisBackplaneOptions = {}): Backplane {
  const { keyPrefix, onWarning = (warning: string) => console.warn(warning), ...bounds } = checkOptions(table, options)
  const redis = new RedisPort(toClientPort(client))
  const keys = new Keys(keyPrefix, toPlace(redis.database, redis.prefix))
  watchEviction(redis, onWarning)
  return {
    sessions: new RedisSessionStore(redis, keys),
    events: new RedisEventLog(redis, keys, bounds),
    bus: new RedisBus(redis, keys),
  }
}

/** Braces would decide which slot of a Cluster keys are in. */
function aKeyPrefix(value: unknown, name: string): string {
  if (typeof value === 'string' && /^[^{}]{1,100}$/u.test(value)) return value
  throw expected(`${name} to be 1 to 100 characters without braces`, value)
}
