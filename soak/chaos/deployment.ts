import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../random.ts'
import { Journal } from './check/journal.ts'
import type { Tally } from './check/tally.ts'
import { NodeProcess } from './node/node-process.ts'
import type { ClientName, FromNode, NodeSettings } from './node/words.ts'
import { PostgresStore } from './store/postgres-store.ts'
import type { ServerStore } from './store/server-store.ts'
import { SqliteStore } from './store/sqlite-store.ts'
import { Store } from './store/store.ts'

export type StoreName = 'redis' | 'postgres' | 'sqlite'

export const leaseMs = 1_000

/** What was lost before is lost for a while: commands that were under way, copies that nodes still have. */
const lossEndsAfterMs = 3_000

const clientNames: readonly ClientName[] = ['ioredis', 'node-redis']

const stores = { redis: Store, postgres: PostgresStore, sqlite: SqliteStore } as const

/** The nodes and their store. Sends requests to nodes as a balancer does that is told of planned ends only. */
export class Deployment {
  readonly journal = new Journal()
  readonly store: Store | PostgresStore | SqliteStore
  readonly errors = new Map<string, number>()
  readonly #tally: Tally
  readonly #random: Random
  readonly #nodes: NodeProcess[] = []
  readonly #routed = new Set<number>()
  #lostAt = -Infinity
  #maxRss = 0

  private constructor(store: Store | PostgresStore | SqliteStore, tally: Tally, random: Random) {
    this.store = store
    this.#tally = tally
    this.#random = random
  }

  static async start(count: number, name: StoreName, tally: Tally, random: Random): Promise<Deployment> {
    const store = await stores[name].start()
    const deployment = new Deployment(store, tally, random)
    await Promise.all(Array.from({ length: count }, (_, index) => deployment.startNode(index)))
    return deployment
  }

  get maxRss(): number {
    return Math.max(this.#maxRss, ...this.#nodes.map(({ maxRss }) => maxRss))
  }

  get nodes(): readonly NodeProcess[] {
    return this.#nodes
  }

  /** @throws Error for what only happens to a Redis, on another store */
  get redis(): Store {
    if (this.store instanceof Store) return this.store
    throw new Error('Expected a Redis')
  }

  get postgres(): PostgresStore {
    if (this.store instanceof PostgresStore) return this.store
    throw new Error('Expected a Postgres')
  }

  get server(): ServerStore {
    if (!(this.store instanceof SqliteStore)) return this.store
    throw new Error('Expected a database server')
  }

  /** Of a node, at random. */
  url(): string {
    const [routed] = [[...this.#routed]]
    return this.node(routed.length > 0 ? this.#random.pick(routed) : 0).url
  }

  urls(): string[] {
    return this.#nodes.filter(({ isEnding }) => !isEnding).map(({ url }) => url)
  }

  node(index: number): NodeProcess {
    return this.#nodes[index] as NodeProcess
  }

  /** Any but that one. */
  otherThan(index: number): NodeProcess {
    return this.node((index + 1) % this.#nodes.length)
  }

  /** In the place of the one before, at its port. */
  async startNode(index: number): Promise<void> {
    const before = this.#nodes[index]
    this.#maxRss = Math.max(this.#maxRss, before?.maxRss ?? 0)
    const settings = { port: before?.port ?? 0, store: this.#storeOf(index), leaseMs }
    const died = (how: string) => this.#tally.fault('died', how)
    this.#nodes[index] = await NodeProcess.start(settings, { hear: (message) => this.#hear(message), died })
    this.#routed.add(index)
  }

  /** Resolves when all that nodes have said until now has come. */
  async heardAll(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.saidAll()))
  }

  #storeOf(index: number): NodeSettings['store'] {
    if (this.store instanceof SqliteStore) return { file: this.store.file }
    if (this.store instanceof Store) {
      return { redisPort: this.store.port, client: clientNames[index % clientNames.length] as ClientName }
    }
    return { url: this.store.url, client: index % 2 === 0 ? 'pg' : 'postgres' }
  }

  /** The balancer sends nothing new there. */
  unroute(index: number): void {
    this.#routed.delete(index)
  }

  /** While this goes on, and a little longer, what the store had may be gone. */
  async losing(work: () => Promise<unknown>): Promise<void> {
    this.#lostAt = Infinity
    await work()
    this.#lostAt = performance.now()
  }

  hasLostSince(time: number): boolean {
    return this.#lostAt + lossEndsAfterMs > time
  }

  hasEndedSince(url: string, time: number): boolean {
    return this.#nodes.some((node) => node.url === url && (node.isEnding || node.startedAt > time))
  }

  /** Nothing may be left when all sessions have ended. */
  async judgeHeld(): Promise<void> {
    const toHeld = () => this.#nodes.map(({ look }) => (look?.connections ?? 0) + (look?.calls ?? 0))
    for (let tries = 0; tries < 60 && toHeld().some((held) => held > 0); tries++) await sleep(500)
    if (toHeld().some((held) => held > 0)) {
      this.#tally.fault('held', JSON.stringify(this.#nodes.map(({ look }) => look)))
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.end('SIGKILL')))
    await this.store.stop()
  }

  #hear(message: FromNode): void {
    if (message.type === 'append') this.journal.append(message)
    else if (message.type === 'acked') this.journal.acked(message.sessionKey, message.place)
    else if (message.type === 'fenced') this.journal.fenced(message.sessionKey, message.place)
    else if (message.type === 'stray') this.#tally.fault('stray', message.text)
    else if (message.type === 'error') {
      const key = `${message.where}: ${message.text.split('\n')[0]?.slice(0, 100)}`
      this.errors.set(key, (this.errors.get(key) ?? 0) + 1)
    }
  }
}
