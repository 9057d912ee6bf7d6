import type { SessionChanges, SessionRecord, SessionStore, Taking } from '@throughline/mcp-http-core'
import { ConnectionLost, type Deployment, endLogs, type FakeConnection, forEver, type Row } from './fake-database.ts'
import type { Node } from './reference-store.ts'

type Params = Readonly<Record<string, unknown>>

/** A session store as plain as it gets: one command for each method. Where it can be broken, it asks for the defect. */
export class ReferenceSessions implements SessionStore {
  readonly #node: Node
  readonly #connection: FakeConnection
  readonly #prefix: string
  readonly #cache = new Map<string, Row | undefined>()
  readonly #ownTerms = new Map<string, number>()
  readonly #replay: (() => void)[] = []
  readonly #leases = new Map<string, number>()
  readonly #leasesPrefix: string
  #openLists = 0

  constructor(node: Node) {
    this.#node = node
    this.#connection = node.connection
    this.#prefix = node.has('prefix-not-used-by-sessions') ? 'mcp' : node.prefix
    this.#leasesPrefix = node.has('prefix-not-used-by-leases') ? 'mcp' : node.prefix
    this.#connection.onMended(() => {
      for (const replay of this.#replay.splice(0)) replay()
    })
  }

  async create(record: SessionRecord, ttlMs: number): Promise<boolean> {
    const { has } = this.#node
    if (has('create-looks-then-writes')) {
      const taken = await this.#run((rows) => hasLive(rows, this.#toKey(record.key)))
      if (taken) return false
      return await this.#run((rows) => Boolean(rows.set(this.#toKey(record.key), this.#toRow(record, ttlMs))))
    }
    if (has('object-for-a-map') && record.key === '__proto__') return true
    this.#ownTerms.set(record.key, record.term)
    const create = () => this.#run((rows, deployment) => this.#create(rows, deployment, record, ttlMs))
    if (!has('create-retries-blindly')) return await create()
    return await create().catch(create)
  }

  #create(rows: Map<string, Row>, { tombstones }: Deployment, record: SessionRecord, ttlMs: number): boolean {
    const { has } = this.#node
    const key = this.#toKey(record.key)
    if (has('deleted-keys-stay-taken') && tombstones.has(key)) return false
    const row = rows.get(key)
    if (row && (isLive(row) || has('expired-keys-stay-taken'))) {
      if (has('refused-create-prolongs')) rows.set(key, { ...row, ...toExpiry(ttlMs) })
      const isHigher = record.term > toRecord(row).term
      if (has('create-prefers-higher-terms') && isHigher) rows.set(key, { ...row, text: toText(record) })
      return false
    }
    rows.set(key, this.#toRow(record, ttlMs))
    return true
  }

  async get(key: string): Promise<SessionRecord | undefined> {
    const { has } = this.#node
    if (has('outage-reads-as-nothing') && this.#connection.isCut) return undefined
    const cached = has('reads-are-cached-by-node') ? this.#cache.get(key) : undefined
    const row = cached ?? (await this.#run((rows) => this.#touch(rows, key)))
    this.#cache.set(key, row)
    return row && (isLive(row) || has('get-gives-expired')) ? toRecord(row) : undefined
  }

  #touch(rows: Map<string, Row>, key: string): Row | undefined {
    const row = rows.get(this.#toKey(key))
    if (row && isLive(row) && this.#node.has('get-prolongs')) {
      rows.set(this.#toKey(key), { ...row, ...toExpiry(row.ttlMs) })
    }
    return row
  }

  async update(key: string, term: number, changes: SessionChanges, ttlMs: number): Promise<boolean> {
    const { has } = this.#node
    this.#cache.delete(key)
    if (has('rejected-updates-are-replayed') && this.#connection.isCut) {
      this.#replay.push(() => void this.#run((rows) => this.#change(rows, key, changes, ttlMs)))
    }
    if (has('update-looks-then-writes-all')) return await this.#updateInTwo(key, term, changes, ttlMs)
    if (has('update-writes-what-was-deleted')) return await this.#updateUnguarded(key, term, changes, ttlMs)
    return await this.#run((rows, deployment) => {
      const row = rows.get(this.#toKey(key))
      if (!row) return has('update-of-deleted-is-true') && deployment.tombstones.has(this.#toKey(key))
      if (!isLive(row) && !has('update-revives-expired')) return false
      if (!this.#isOwner(key, term, row)) {
        if (has('refused-update-prolongs')) rows.set(this.#toKey(key), { ...row, ...toExpiry(ttlMs) })
        return false
      }
      return this.#change(rows, key, changes, ttlMs)
    })
  }

  #isOwner(key: string, term: number, row: Row): boolean {
    const { has } = this.#node
    if (has('terms-are-cached-by-node') && this.#ownTerms.get(key) === term) return true
    if (has('term-zero-passes') && term === 0) return true
    return toRecord(row).term === term
  }

  #change(rows: Map<string, Row>, key: string, changes: SessionChanges, ttlMs: number): boolean {
    const { has } = this.#node
    const row = rows.get(this.#toKey(key))
    if (!row) return false
    const record = toRecord(row)
    const changed: SessionRecord = { ...record, ...this.#toEffective(record, changes) }
    const text = toText(changed)
    if (has('update-counts-changed-rows') && Object.keys(changes).length > 0 && text === row.text) return false
    const expiry = has('update-does-not-prolong') ? {} : toExpiry(ttlMs)
    if (has('list-walks-the-rows-as-they-change')) rows.delete(this.#toKey(key))
    rows.set(this.#toKey(key), { ...row, text, ...expiry })
    return true
  }

  #toEffective(record: SessionRecord, changes: SessionChanges): SessionChanges {
    const { has } = this.#node
    if (has('empty-update-clears') && Object.keys(changes).length === 0) return { logLevel: null }
    if (has('no-owner-means-unchanged') && changes.owner === '') return { ...changes, owner: record.owner }
    if (has('null-means-unchanged') && changes.logLevel === null) return { ...changes, logLevel: record.logLevel }
    if (has('subscriptions-are-added-to') && changes.subscriptions?.length) {
      return { ...changes, subscriptions: [...record.subscriptions, ...changes.subscriptions] }
    }
    return changes
  }

  async #updateInTwo(key: string, term: number, changes: SessionChanges, ttlMs: number): Promise<boolean> {
    const row = await this.#run((rows) => rows.get(this.#toKey(key)))
    if (!row || !isLive(row) || toRecord(row).term !== term) return false
    const { initialized, logLevel, subscriptions, owner } = { ...toRecord(row), ...changes }
    return await this.#run((rows) => {
      const current = rows.get(this.#toKey(key))
      if (!current || toRecord(current).term !== term) return false
      return this.#change(rows, key, { initialized, logLevel, subscriptions, owner }, ttlMs)
    })
  }

  async #updateUnguarded(key: string, term: number, changes: SessionChanges, ttlMs: number): Promise<boolean> {
    const row = await this.#run((rows) => rows.get(this.#toKey(key)))
    if (!row || !isLive(row) || toRecord(row).term !== term) return false
    return await this.#run((rows) => {
      if (!rows.has(this.#toKey(key))) rows.set(this.#toKey(key), row)
      return this.#change(rows, key, changes, ttlMs)
    })
  }

  async takeOver(key: string, taking: Taking): Promise<SessionRecord | undefined> {
    const { has } = this.#node
    this.#cache.delete(key)
    const inTwo = has('take-over-looks-then-writes') || has('take-over-writes-the-whole-record')
    const seen = inTwo ? await this.#run((rows) => rows.get(this.#toKey(key))) : undefined
    const take = () => this.#run((rows, deployment) => this.#take({ rows, deployment, key, taking, seen }))
    const again = async (error: unknown) => {
      if (!has('take-over-retry-gives-the-first-term')) throw error
      const record = await take()
      return record && { ...record, term: record.term - 1 }
    }
    const taken = await take().catch(again)
    if (taken && this.#ownTerms.has(key)) this.#ownTerms.set(key, taken.term)
    return taken
  }

  #take({ rows, deployment, key, taking, seen }: TakingOver): SessionRecord | undefined {
    const { has } = this.#node
    const { expectedTerm, owner, ttlMs } = taking
    const row = rows.get(this.#toKey(key))
    if (!row || !(isLive(row) || has('take-over-revives-expired'))) return undefined
    const record = toRecord(row)
    const expected = seen && has('take-over-looks-then-writes') ? toRecord(seen).term : record.term
    const isAgain = has('take-over-again-takes-again') && record.owner === owner && record.term === expectedTerm + 1
    const isExpected = expected === expectedTerm || isAgain || has('take-over-expects-nothing')
    if (!isExpected || this.#isHindered(deployment, record, owner)) {
      if (has('refused-take-over-prolongs')) rows.set(this.#toKey(key), { ...row, ...toExpiry(ttlMs) })
      return record
    }
    const before = seen && has('take-over-writes-the-whole-record') ? toRecord(seen) : record
    const counted = seen && has('take-over-looks-then-writes') ? toRecord(seen).term : record.term
    const keeps = has('take-over-by-the-owner-keeps-the-term') && record.owner === owner
    const taken = { ...before, owner, term: keeps ? counted : counted + 1 }
    const expiry = has('take-over-does-not-prolong') ? {} : toExpiry(ttlMs)
    rows.set(this.#toKey(key), { ...row, text: toText(taken), ...expiry })
    return taken
  }

  /** Whether a lease keeps this node from taking the record over. */
  #isHindered(deployment: Deployment, { owner }: SessionRecord, taker: string): boolean {
    const { has } = this.#node
    if (has('leases-are-not-heeded')) return false
    if (owner === '') return has('nobody-has-a-lease')
    if (owner === taker) return has('own-lease-hinders') && isLeased(deployment, owner)
    if (has('lease-that-is-over-hinders')) return deployment.leases.has(owner)
    if (has('any-lease-hinders')) return [...deployment.leases.keys()].some((node) => isLeased(deployment, node))
    return isLeased(deployment, owner)
  }

  async renewLease(node: string, leaseMs: number): Promise<boolean> {
    const { has } = this.#node
    if (has('renewal-waits-for-ever') && this.#connection.isCut) await forEver
    if (has('hostile-nodes-are-left-out') && node.includes('%')) return false
    const { ran, end } = await this.#runOnLeases(({ leases }) => {
      const name = this.#toNodeName(node)
      const before = leases.get(name)
      const end = this.#toLeaseEnd(before, leaseMs)
      leases.set(name, end)
      const ran = before !== undefined && (has('lease-once-begun-has-run') || before > performance.now())
      return { ran, end }
    })
    this.#leases.set(node, end)
    return ran
  }

  #toLeaseEnd(before: number | undefined, leaseMs: number): number {
    const { has } = this.#node
    const now = performance.now()
    const end = leaseMs === 0 ? 0 : now + (has('leases-end-at-half-time') ? leaseMs / 2 : leaseMs)
    if (before === undefined || before <= now) return end
    if (leaseMs === 0) return has('renewal-with-zero-is-ignored') ? before : end
    if (has('renewal-waits-for-the-end')) return before
    return has('renewal-never-shortens') ? Math.max(before, end) : end
  }

  async hasLease(node: string): Promise<boolean> {
    const { has } = this.#node
    if (has('outage-reads-as-no-lease') && this.#connection.isCut) return false
    const cached = has('leases-are-cached-by-node') ? this.#leases.get(node) : undefined
    const endsAt = cached ?? (await this.#runOnLeases(({ leases }) => leases.get(this.#toNodeName(node))))
    if (endsAt === undefined) return has('unknown-nodes-have-leases')
    return endsAt > (has('leases-do-not-run-out') ? 0 : performance.now())
  }

  #runOnLeases<T>(command: (deployment: Deployment) => T): Promise<T> {
    return this.#connection.run(this.#leasesPrefix, command)
  }

  #toNodeName(node: string): string {
    return this.#node.has('nodes-are-case-insensitive') ? node.toLowerCase() : node
  }

  async delete(key: string, term?: number): Promise<boolean> {
    const { has } = this.#node
    this.#cache.delete(key)
    if (has('delete-with-a-term-looks-then-deletes') && term !== undefined) {
      const row = await this.#run((rows) => rows.get(this.#toKey(key)))
      if (!row || toRecord(row).term !== term) return false
      return await this.#run((rows, deployment) => this.#delete(rows, deployment, this.#toKey(key)))
    }
    if (has('delete-looks-then-deletes') && term === undefined) {
      const known = await this.#run((rows) => hasLive(rows, this.#toKey(key)))
      await this.#run((rows) => rows.delete(this.#toKey(key)))
      return known
    }
    return await this.#run((rows, deployment) => {
      const row = rows.get(this.#toKey(key))
      if (term !== undefined && row && this.#toTermForDelete(row) !== term) {
        if (!has('delete-takes-any-term')) return false
      }
      return this.#delete(rows, deployment, this.#toKey(key))
    })
  }

  #toTermForDelete({ text, original }: Row): number {
    return toRecord({ text: this.#node.has('delete-expects-the-first-term') ? original : text }).term
  }

  #delete(rows: Map<string, Row>, { tombstones }: Deployment, key: string): boolean {
    const { has } = this.#node
    const row = rows.get(key)
    if (has('delete-counts-what-never-was') && !row && !tombstones.has(key)) return true
    if (has('delete-takes-globs') && key.endsWith('*')) {
      for (const other of [...rows.keys()]) if (other.startsWith(key.slice(0, -1))) rows.delete(other)
    }
    if (row) tombstones.add(key)
    rows.delete(key)
    if (row && has('delete-only-marks')) rows.set(key, { ...row, expiresAt: 0 })
    return row !== undefined && (isLive(row) || has('delete-counts-expired'))
  }

  async *list(): AsyncIterable<SessionRecord> {
    const { has } = this.#node
    if (has('list-waits-for-ever') && this.#connection.isCut) await forEver
    if (has('list-walks-the-rows-as-they-change')) return yield* this.#walk()
    this.#openLists++
    const rows = await this.#run((found) => [...found.values()])
    if (rows.length === 0 && has('list-gives-a-placeholder')) yield toRecord({ text: '{"key":"none"}' })
    if (has('leases-are-listed')) yield* await this.#run((_rows, { leases }) => [...leases.keys()].map(toLeaseRecord))
    for (const row of has('list-stops-at-five-hundred') ? rows.slice(0, 500) : rows) {
      if (!isLive(row) && !has('list-gives-expired')) continue
      yield toRecord(has('list-gives-records-as-created') ? { text: row.original } : row)
    }
    this.#openLists--
  }

  async *#walk(): AsyncIterable<SessionRecord> {
    const rows = await this.#run((found) => found)
    for (const row of rows.values()) if (isLive(row)) yield toRecord(row)
  }

  /** A command on the rows. */
  async #run<T>(command: (rows: Map<string, Row>, deployment: Deployment) => T): Promise<T> {
    const { has } = this.#node
    if (has('list-holds-its-connection') && this.#openLists > 20) await forEver
    if (has('does-not-connect-again') && this.#connection.cuts > 0) throw new ConnectionLost('The client is closed')
    return await this.#connection.run(this.#prefix, (deployment) => {
      endLogs(deployment, has)
      return command(deployment.rows, deployment)
    })
  }

  #toKey(key: string): string {
    return this.#node.has('keys-are-case-insensitive') ? key.toLowerCase() : key
  }

  #toRow(record: SessionRecord, ttlMs: number): Row {
    const { has } = this.#node
    const text = this.#toStored(record)
    if (has('long-params-are-refused') && text.length > 65_536) throw new RangeError('Value too long')
    const rounded = has('ttl-rounded-down') && ttlMs >= 250 ? 2 ** Math.floor(Math.log2(ttlMs)) : ttlMs
    return { text, original: text, ...toExpiry(rounded) }
  }

  #toStored(record: SessionRecord): string {
    const { has } = this.#node
    const params = JSON.stringify(record.initializeParams)
    const stored = (initializeParams: unknown) => toText({ ...record, initializeParams: initializeParams as Params })
    if (has('empty-arrays-become-objects')) return stored(JSON.parse(params.replaceAll('[]', '{}')))
    if (has('text-is-normalised')) return stored(JSON.parse(params.normalize('NFC')))
    if (has('nul-is-left-out')) return stored(JSON.parse(params.replaceAll('\\u0000', '')))
    if (has('members-are-assigned')) return stored(Object.assign({}, record.initializeParams))
    if (has('no-principal-is-text') && record.principal === null) return toText({ ...record, principal: 'null' })
    return toText(record)
  }
}

interface TakingOver {
  readonly rows: Map<string, Row>
  readonly deployment: Deployment
  readonly key: string
  readonly taking: Taking
  /** As it was when the method began, where that takes two commands. */
  readonly seen: Row | undefined
}

function isLeased({ leases }: Deployment, node: string): boolean {
  return (leases.get(node) ?? 0) > performance.now()
}

function toLeaseRecord(node: string): SessionRecord {
  return toRecord({ text: JSON.stringify({ key: node }) })
}

export function isLive({ expiresAt }: Row): boolean {
  return expiresAt > performance.now()
}

function hasLive(rows: ReadonlyMap<string, Row>, key: string): boolean {
  const row = rows.get(key)
  return row !== undefined && isLive(row)
}

function toExpiry(ttlMs: number): Pick<Row, 'ttlMs' | 'expiresAt'> {
  return { ttlMs, expiresAt: performance.now() + ttlMs }
}

function toText(record: SessionRecord): string {
  return JSON.stringify(record)
}

export function toRecord({ text }: Pick<Row, 'text'>): SessionRecord {
  return JSON.parse(text) as SessionRecord
}
