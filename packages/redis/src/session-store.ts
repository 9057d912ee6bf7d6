import { randomBytes } from 'node:crypto'
import type { SessionChanges, SessionRecord, SessionStore, Taking } from '@throughline/mcp-http-core'
import type { RedisPort } from './client/redis-port.ts'
import { Script } from './client/script.ts'
import { type Keys, nameInKey, toName } from './keys.ts'
import * as scripts from './session-scripts.ts'

const create = new Script(scripts.create)
const update = new Script(scripts.update)
const takeOver = new Script(scripts.takeOver)
const remove = new Script(scripts.remove)
const renewLease = new Script(scripts.renewLease)

/** What changes of a record has fields of its own, as JSON; while it is this, they may be missing. */
const fieldOf = { owner: 'o', initialized: 'i', logLevel: 'l', subscriptions: 's' } as const
const beginnings = { owner: '""', initialized: 'false', logLevel: 'null', subscriptions: '[]' } as const
const changing = Object.keys(fieldOf) as (keyof typeof fieldOf)[]

/** Characters before the JSON of what does not change, which make each call of `create` different. */
const callLength = 8

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
    const { key, term, owner, initialized, logLevel, subscriptions, ...rest } = record
    const name = toName(key)
    // A client that sends the command again by itself, after a lost reply, sends the same.
    const call = randomBytes(callLength).toString('base64url').slice(0, callLength)
    const fixed = `${call}${JSON.stringify(name === key ? rest : { ...rest, key })}`
    const changes = toChanges({ owner, initialized, logLevel, subscriptions }, beginnings)
    const args = [toMs(ttlMs), 'r', fixed, 't', term, ...changes]
    return Number(await create.run(this.#redis, this.#keys.ofSession(record.key), args)) === 1
  }

  async get(key: string): Promise<SessionRecord | undefined> {
    return await this.#read(toName(key))
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
      return toRecord(toName(key), await takeOver.run(this.#redis, this.#keys.ofSession(key), args))
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
        const records = await Promise.all(names.map((name) => this.#read(name)))
        yield* records.filter((record) => record !== undefined)
      } while (cursor !== '0')
    }
  }

  async renewLease(node: string, leaseMs: number): Promise<boolean> {
    return Number(await renewLease.run(this.#redis, [this.#keys.ofLease(node)], [Math.ceil(leaseMs)])) === 1
  }

  async hasLease(node: string): Promise<boolean> {
    const key = this.#keys.ofLease(node)
    return Number(await this.#redis.command(key, ['EXISTS', key])) === 1
  }

  async #read(name: string): Promise<SessionRecord | undefined> {
    const [key] = this.#keys.ofSessionNamed(name)
    return toRecord(name, await this.#redis.command(key, ['HMGET', key, ...scripts.recordFields]))
  }
}

function toMs(ttlMs: number): number {
  return Math.max(1, Math.ceil(ttlMs))
}

/** Fields and values, without those that are left out. */
function toChanges(changes: SessionChanges, leftOut: Partial<Record<string, string>> = {}): string[] {
  return changing.flatMap((name) => {
    const text = JSON.stringify(changes[name])
    return text === undefined || text === leftOut[name] ? [] : [fieldOf[name], text]
  })
}

/** From the values of `recordFields`. */
function toRecord(name: string, reply: unknown): SessionRecord | undefined {
  const [term, fixed, ...texts] = reply as (string | null)[]
  if (term == null || fixed == null) return undefined
  const changed = changing.map((each, i) => [each, JSON.parse(texts[i] ?? beginnings[each])])
  return { key: name, ...JSON.parse(fixed.slice(callLength)), ...Object.fromEntries(changed), term: Number(term) }
}
