import { createHash } from 'node:crypto'
import type { RedisPort } from './redis-port.ts'

/** A script that the server keeps by its hash, once it has seen it. */
export class Script {
  readonly #source: string
  readonly #hash: string

  constructor(source: string) {
    this.#source = source
    this.#hash = createHash('sha1').update(source).digest('hex')
  }

  /** All keys have the hash tag of the first. */
  async run(redis: RedisPort, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args.map(String)]
    try {
      return await redis.command(keys[0], ['EVALSHA', this.#hash, ...rest])
    } catch (error) {
      // Another server, or one that was started anew.
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return await redis.command(keys[0], ['EVAL', this.#source, ...rest])
    }
  }
}
