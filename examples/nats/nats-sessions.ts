import type { KV } from '@nats-io/kv'
import type { SessionChanges, SessionRecord, SessionStore, Taking } from '@throughline/mcp-http-core'
import { isLate, now, toToken } from './names.ts'

interface Kept {
  readonly record?: SessionRecord
  /** By {@link now}. */
  readonly expires: number
}

/** What a change gives, and what it leaves behind; without `put` nothing changes, with `null` nothing is left. */
interface Change<T> {
  readonly result: T
  readonly put?: Kept | null
}

/** Records and leases in a bucket. Whoever changes one says which revision it has read, and reads again where it is late. */
export class NatsSessions implements SessionStore {
  readonly #bucket: KV

  constructor(bucket: KV) {
    this.#bucket = bucket
  }

  create(record: SessionRecord, ttlMs: number): Promise<boolean> {
    return this.#change(toKey(record.key), (kept) =>
      kept ? { result: false } : { result: true, put: { record, expires: now() + ttlMs } },
    )
  }

  async get(key: string): Promise<SessionRecord | undefined> {
    return (await this.#read(toKey(key))).kept?.record
  }

  update(key: string, term: number, changes: SessionChanges, ttlMs: number): Promise<boolean> {
    return this.#change(toKey(key), (kept) => {
      if (kept?.record?.term !== term) return { result: false }
      return { result: true, put: { record: { ...kept.record, ...changes }, expires: now() + ttlMs } }
    })
  }

  async takeOver(key: string, { expectedTerm, owner, ttlMs }: Taking): Promise<SessionRecord | undefined> {
    const before = await this.get(key)
    const isFree = before !== undefined && (before.owner === owner || !(await this.hasLease(before.owner)))
    return await this.#change(toKey(key), (kept) => {
      const record = kept?.record
      if (record?.term !== expectedTerm || record.owner !== before?.owner || !isFree) return { result: record }
      const taken = { ...record, owner, term: expectedTerm + 1 }
      return { result: taken, put: { record: taken, expires: now() + ttlMs } }
    })
  }

  delete(key: string, term?: number): Promise<boolean> {
    return this.#change(toKey(key), (kept) => {
      if (!kept || (term !== undefined && kept.record?.term !== term)) return { result: false }
      return { result: true, put: null }
    })
  }

  async *list(): AsyncIterable<SessionRecord> {
    const keys: string[] = []
    for await (const key of await this.#bucket.keys('session.>')) keys.push(key)
    for (const key of keys) {
      const { kept } = await this.#read(key)
      if (kept?.record) yield kept.record
    }
  }

  renewLease(node: string, leaseMs: number): Promise<boolean> {
    return this.#change(toLease(node), (kept) => ({ result: kept !== undefined, put: { expires: now() + leaseMs } }))
  }

  async hasLease(node: string): Promise<boolean> {
    return (await this.#read(toLease(node))).kept !== undefined
  }

  async #read(key: string): Promise<{ readonly kept: Kept | undefined; readonly revision: number }> {
    const entry = await this.#bucket.get(key)
    if (entry?.operation !== 'PUT') return { kept: undefined, revision: entry?.revision ?? 0 }
    const kept = entry.json<Kept>()
    return { kept: kept.expires > now() ? kept : undefined, revision: entry.revision }
  }

  async #change<T>(key: string, decide: (kept: Kept | undefined) => Change<T>): Promise<T> {
    for (;;) {
      const { kept, revision } = await this.#read(key)
      const { result, put } = decide(kept)
      if (put === undefined) return result
      try {
        if (put === null) await this.#bucket.purge(key, { previousSeq: revision })
        else await this.#bucket.put(key, JSON.stringify(put), { previousSeq: revision })
        return result
      } catch (error) {
        if (!isLate(error)) throw error
      }
    }
  }
}

export function toKey(key: string): string {
  return `session.${toToken(key)}`
}

function toLease(node: string): string {
  return `lease.${toToken(node)}`
}
