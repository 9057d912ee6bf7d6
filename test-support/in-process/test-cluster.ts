import {
  type Backplane,
  createMemoryBackplane,
  type Endpoint,
  type EndpointOptions,
  type MessageBus,
} from '../../packages/core/src/index.ts'
import { openSession, TestClient } from './test-client.ts'
import { createTestEndpoint } from './test-endpoint.ts'
import type { Handlers, TestServer } from './test-server.ts'

/** Short enough for a test, long enough for a busy machine. */
export const testLeaseMs = 600

/** What nodes share, in this process: a log that looks at records, as a database's does. */
export function createTestDatabase(): Backplane {
  const { sessions, events, bus } = createMemoryBackplane()
  return {
    sessions,
    events: {
      append: async (key, appended) => {
        const record = await sessions.get(key)
        if (!record) return 'gone'
        const isFenced = appended.some(({ position }) => record.term > position.term)
        return isFenced ? 'fenced' : events.append(key, appended)
      },
      read: async (...asked) => events.read(...asked),
      release: (...released) => events.release(...released),
      settle: (...settled) => events.settle?.(...settled),
      delete: async (...deleted) => events.delete(...deleted),
      stats: () => events.stats(),
    },
    bus,
  }
}

/** One node's way to the database, which can be cut as by a kill, held up as by SIGSTOP, or lose messages. */
export class TestLink {
  /** Nothing gets through any more, in either direction: the process is gone. */
  isCut = false
  /** Loses a message when it gives `true`. */
  loses: (message: string) => boolean = () => false
  /** Resolves when what is held up may go on. */
  held: Promise<void> | undefined
  readonly missed = new Set<() => void>()
  readonly backplane: Backplane

  constructor(database: Backplane) {
    const { sessions, events } = database
    this.backplane = {
      sessions: {
        create: (...given) => this.#pass(() => sessions.create(...given)),
        get: (key) => this.#pass(() => sessions.get(key)),
        update: (...given) => this.#pass(() => sessions.update(...given)),
        takeOver: (...given) => this.#pass(() => sessions.takeOver(...given)),
        delete: (...given) => this.#pass(() => sessions.delete(...given)),
        list: () => sessions.list(),
        renewLease: (...given) => this.#pass(() => sessions.renewLease(...given)),
        hasLease: (node) => this.#pass(() => sessions.hasLease(node)),
      },
      events: {
        append: (...given) => this.#pass(() => events.append(...given)),
        read: (...given) => this.#pass(() => events.read(...given)),
        release: (...given) => events.release(...given),
        settle: (...given) => events.settle?.(...given),
        delete: (...given) => this.#pass(() => events.delete(...given)),
        stats: () => events.stats(),
      },
      bus: this.#link(database.bus),
    }
  }

  async #pass<T>(call: () => T | PromiseLike<T>): Promise<T> {
    await this.held
    return this.isCut ? new Promise(() => undefined) : call()
  }

  #link(bus: MessageBus): MessageBus {
    return {
      publish: (channel, message) =>
        this.#pass(() => {
          if (!this.loses(message)) return bus.publish(channel, message)
        }),
      subscribe: async (channel, listener, missed) => {
        if (missed) this.missed.add(missed)
        // A turn later, as over a socket.
        return bus.subscribe(channel, (message) => {
          void Promise.resolve(this.held).then(() => {
            if (!this.isCut && !this.loses(message)) listener(message)
          })
        })
      },
    }
  }
}

export interface TestNode {
  readonly endpoint: Endpoint
  readonly servers: readonly TestServer[]
  readonly errors: readonly unknown[]
  readonly link: TestLink
}

/** Nodes of one deployment, in this process. */
export class TestCluster {
  readonly database = createTestDatabase()
  readonly nodes: TestNode[] = []
  readonly #handlers: Handlers
  readonly #options: Partial<EndpointOptions>

  constructor(count: number, handlers: Handlers = {}, options: Partial<EndpointOptions> = {}) {
    this.#handlers = handlers
    this.#options = { leaseMs: testLeaseMs, ...options }
    for (let i = 0; i < count; i++) this.start()
  }

  start(): TestNode {
    const link = new TestLink(this.database)
    const node = { ...createTestEndpoint(this.#handlers, { backplane: link.backplane, ...this.#options }), link }
    this.nodes.push(node)
    return node
  }

  node(i: number): TestNode {
    const node = this.nodes[i]
    if (!node) throw new RangeError(`Expected a node below ${this.nodes.length}, got ${i}`)
    return node
  }

  /** A session that was opened on one node, as its client meets it on another. */
  async open(i: number, options?: Parameters<typeof openSession>[1]): Promise<TestClient> {
    return openSession(this.node(i).endpoint, options)
  }

  on(i: number, client: TestClient): TestClient {
    const { sessionId, auth } = client
    return Object.assign(new TestClient(this.node(i).endpoint), { sessionId, auth })
  }

  /** The database loses everything, leases too, as with FLUSHALL. */
  async flush(): Promise<void> {
    const { sessions, events } = this.database
    for await (const { key, owner } of sessions.list()) {
      await events.delete(key)
      await sessions.delete(key)
      await sessions.renewLease(owner, 0)
    }
  }

  /** The process is gone: it neither answers nor writes. */
  kill(i: number): void {
    this.node(i).link.isCut = true
  }

  async close(): Promise<void> {
    await Promise.all(
      this.nodes.filter(({ link }) => !link.isCut).map(({ endpoint }) => endpoint.close({ drainMs: 0 })),
    )
  }
}
