import { randomBytes } from 'node:crypto'
import type { SessionChanges, SessionRecord, SessionStore, Taking } from '@throughline/mcp-http-core'
import type { RedisPort } from './client/redis-port.ts'
import { Script } from './client/script.ts'
import { type Keys, nameInKey } from './keys.ts'
import * as scripts from './session-scripts.ts'

const create = new Script(scripts.create)
const update = new Script(scripts.update)
const takeOver = new Script(scripts.takeOver)
const remove = new Script(scripts.remove)
const renewLease = new Script(scripts.renewLease)

/** Fields of a record that are written by themselves, as JSON. What is written once is in `r`. */
const fieldOf = { owner: 'o', initialized: 'i', logLevel: 'l', subscriptions: 's' } as const
type Changing = keyof typeof fieldOf
const changing = Object.keys(fieldOf) as Changing[]

/** Keys that one reply of `SCAN` gives, about. */
const scanCount = 200

export class RedisSessionStore implements SessionStore {
  readonly #redis: RedisPort
  readonly #keys: Keys

  constructor(redis: RedisPort, keys: Keys) {
    this.#redis = redis
    this.#keys = keys
  }

  async create(record: SessionRecord, ttlMs: number): Promise<boolean> {
    // A client that sends the command again by itself, after a lost reply, sends the same.
    const call = randomBytes(6).toString('base64url')
    const args = [toMs(ttlMs), 'c', call, ...toFields(record)]
    return Number(await create.run(this.#redis, this.#keys.ofSession(record.key), args)) === 1
  }

  async get(key: string): Promise<SessionRecord | undefined> {
    return await this.#read(this.#keys.ofSession(key)[0])
  }

  async update(key: string, term: number, changes: SessionChanges, ttlMs: number): Promise<boolean> {
    const args = [term, toMs(ttlMs), ...toChanges(changes)]
    return Number(await update.run(this.#redis, this.#keys.ofSession(key), args)) === 1
  }

  /**
   * The lease is on another node of a Cluster than the record: where it is over, the record is asked again, and must
   * have the same term and owner as before.
   */
  async takeOver(key: string, { expectedTerm, owner, ttlMs }: Taking): Promise<SessionRecord | undefined> {
    const take = async (lapsed: string): Promise<SessionRecord | undefined> => {
      const args = [expectedTerm, JSON.stringify(owner), expectedTerm + 1, toMs(ttlMs), JSON.stringify(lapsed)]
      return toRecord(await takeOver.run(this.#redis, this.#keys.ofSession(key), args))
    }
    const record = await take('')
    if (record?.term !== expectedTerm || (await this.hasLease(record.owner))) return record
    return await take(record.owner)
  }

  async delete(key: string, term?: number): Promise<boolean> {
    return Number(await remove.run(this.#redis, this.#keys.ofSession(key), [term ?? ''])) === 1
  }

  async *list(): AsyncIterable<SessionRecord> {
    // One that moves within the server's table while it is gone through may come twice.
    const seen = new Set<string>()
    for (const send of await this.#redis.servers()) {
      let cursor = '0'
      do {
        const match = this.#keys.recordPattern(this.#redis.prefix)
        const page = await send(['SCAN', cursor, 'MATCH', match, 'COUNT', String(scanCount)])
        const [next, keys] = page as [string, string[]]
        cursor = String(next)
        const names = keys.map(nameInKey).filter((name) => !seen.has(name) && seen.add(name))
        for (const record of await Promise.all(names.map((name) => this.#read(this.#keys.ofSessionNamed(name)[0])))) {
          if (record) yield record
        }
      } while (cursor !== '0')
    }
  }

  async renewLease(node: string, leaseMs: number): Promise<void> {
    await renewLease.run(this.#redis, [this.#keys.ofLease(node)], [Math.ceil(leaseMs)])
  }

  async hasLease(node: string): Promise<boolean> {
    const key = this.#keys.ofLease(node)
    return Number(await this.#redis.command(key, ['EXISTS', key])) === 1
  }

  async #read(key: string): Promise<SessionRecord | undefined> {
    return toRecord(await this.#redis.command(key, ['HMGET', key, ...scripts.recordFields]))
  }
}

function toMs(ttlMs: number): number {
  return Math.max(1, Math.ceil(ttlMs))
}

function toFields({ term, owner, initialized, logLevel, subscriptions, ...rest }: SessionRecord): (string | number)[] {
  return ['t', term, 'r', JSON.stringify(rest), ...toChanges({ owner, initialized, logLevel, subscriptions })]
}

function toChanges(changes: SessionChanges): string[] {
  return changing.flatMap((name) => (changes[name] === undefined ? [] : [fieldOf[name], JSON.stringify(changes[name])]))
}

/** From the values of `recordFields`. */
function toRecord(reply: unknown): SessionRecord | undefined {
  const [term, rest, ...texts] = reply as (string | null)[]
  if (term == null || rest == null) return undefined
  const changes = changing.map((name, i) => [name, JSON.parse(texts[i] as string)])
  return { ...JSON.parse(rest), ...Object.fromEntries(changes), term: Number(term) }
}
