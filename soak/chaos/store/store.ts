import { toClientPort } from '../../../packages/redis/src/client/redis-client.ts'
import { clients } from '../../../packages/redis/test/clients.ts'
import { type RedisServer, startRedis } from '../../../test-support/redis/start-redis.ts'
import { ProxyProcess } from './proxy-process.ts'
import type { ServerStore } from './server-store.ts'

/** The real Redis of a run, behind a proxy: it may be another one later, and is at the same port then. */
export class Store implements ServerStore {
  readonly #proxy: ProxyProcess
  #server: RedisServer

  private constructor(server: RedisServer, proxy: ProxyProcess) {
    this.#server = server
    this.#proxy = proxy
  }

  static async start(): Promise<Store> {
    const server = await startRedis()
    return new Store(server, await ProxyProcess.start(server.port))
  }

  get port(): number {
    return this.#proxy.port
  }

  /** Commands on a connection of their own, past the proxy. */
  async admin<T>(work: (send: (...args: string[]) => Promise<unknown>) => Promise<T>): Promise<T> {
    return adminOf(this.#server.port, work)
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    process.kill(this.#server.pid, name)
  }

  cutBus(): Promise<unknown> {
    return this.admin((send) => send('CLIENT', 'KILL', 'TYPE', 'pubsub'))
  }

  cutCommands(): Promise<unknown> {
    return this.admin((send) => send('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'))
  }

  flush(): Promise<unknown> {
    return this.admin((send) => send('FLUSHALL'))
  }

  /** It is away, and then empty. */
  async restart(awayMs: number): Promise<void> {
    this.#proxy.pointTo(undefined)
    await this.#server.stop()
    await new Promise((resolve) => setTimeout(resolve, awayMs))
    this.#server = await startRedis()
    this.#proxy.pointTo(this.#server.port)
  }

  /** A replica takes its place, without what was written in the last `lostMs`. */
  async failOver(lostMs: number): Promise<void> {
    const replica = await startRedis('--replicaof', `127.0.0.1 ${this.#server.port}`)
    await adminOf(replica.port, async (send) => {
      while (!String(await send('INFO', 'replication')).includes('master_link_status:up'))
        await new Promise(setImmediate)
      // What it was sent is behind by a moment, as it always is.
      await send('REPLICAOF', 'NO', 'ONE')
    })
    await new Promise((resolve) => setTimeout(resolve, lostMs))
    this.#proxy.pointTo(replica.port)
    await this.#server.stop()
    this.#server = replica
  }

  async stop(): Promise<void> {
    this.#proxy.close()
    await this.#server.stop()
  }
}

async function adminOf<T>(
  port: number,
  work: (send: (...args: string[]) => Promise<unknown>) => Promise<T>,
): Promise<T> {
  const { client, close } = await clients.ioredis(port)
  const redis = toClientPort(client)
  try {
    while (redis.status() !== 'ready') await new Promise(setImmediate)
    return await work((...args) => redis.send(undefined, args))
  } finally {
    await close()
  }
}
