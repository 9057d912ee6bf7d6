import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { listen } from '../../../test-support/listen.ts'
import { type RedisServer, skipsRedis, startRedis } from '../../../test-support/redis/start-redis.ts'
import { sleep, waitFor, within } from '../../../test-support/waiting.ts'
import { type ClientPort, type SubscriberEvents, toClientPort } from '../src/client/redis-client.ts'
import { RedisPort } from '../src/client/redis-port.ts'
import { redisBackplane } from '../src/index.ts'
import { Keys } from '../src/keys.ts'
import { RedisBus } from '../src/message-bus.ts'
import { clients } from './clients.ts'

test('a connection that was opened in place of another, and subscribes to nothing, is replaced as well', async () => {
  const opened: SubscriberEvents[] = []
  const client: ClientPort = {
    ...{ prefix: '', database: 0, status: () => 'ready', servers: async () => [] },
    send: async () => undefined,
    openSubscriber(events) {
      const time = opened.push(events)
      const subscribe = async (channel: string): Promise<void> => {
        if (time === 2 && channel === new Keys('mcp').ofChannel('channel')) throw new Error('cut before the reply')
      }
      return { subscribe, unsubscribe: async () => undefined, end: () => undefined }
    },
  }
  const bus = new RedisBus(new RedisPort(client), new Keys('mcp'), { silence: 60_000, answer: 300, pause: 10 })
  let missed = 0
  onTestFinished(
    await bus.subscribe(
      'channel',
      () => undefined,
      () => missed++,
    ),
  )
  opened[0]?.lost()
  await waitFor(() => missed > 0)
  expect([opened.length, missed]).toEqual([3, 1])
})

describe.skipIf(skipsRedis())('the connection that listens', () => {
  let server: RedisServer
  let admin: Redis
  beforeAll(async () => {
    server = await startRedis()
    admin = new Redis(server.port, '127.0.0.1')
  })
  afterAll(async () => {
    admin.disconnect()
    await server.stop()
  })

  const subscribers = async () =>
    String(await admin.client('LIST', 'TYPE', 'PUBSUB'))
      .split('\n')
      .filter(Boolean).length

  test.each([
    ['of ioredis by databases', () => [0, 1].map((db) => new Redis({ port: server.port, host: '127.0.0.1', db }))],
    [
      'of ioredis by prefixes',
      () => ['a:', 'b:'].map((keyPrefix) => new Redis(server.port, '127.0.0.1', { keyPrefix })),
    ],
    ['of node-redis by databases', () => [0, 1].map((database) => createClient({ url: urlOf(database) }))],
  ] as const)('does not hear deployments that are apart in clients %s', async (_, make) => {
    const joined = make().map((client) => {
      onTestFinished(() => void client.disconnect())
      return { client, bus: redisBackplane(client).bus }
    })
    const heard: string[] = []
    for (const [i, { client, bus }] of joined.entries()) {
      if (!('status' in client)) await client.connect()
      onTestFinished(await bus.subscribe('channel', (message) => heard.push(`${i} hears ${message}`)))
    }
    for (const [i, { bus }] of joined.entries()) await bus.publish('channel', `${i}`)
    await waitFor(() => heard.length >= 2)
    await sleep(50)
    expect(heard.sort()).toEqual(['0 hears 0', '1 hears 1'])
  })

  const urlOf = (database: number) => `redis://127.0.0.1:${server.port}/${database}`

  describe.each(Object.entries(clients))('of %s', (_name, connectClient) => {
    async function connected(port = server.port) {
      const { client, close } = await connectClient(port)
      onTestFinished(close)
      return client
    }

    test('that is broken comes back, and says that messages were missed when they can be heard again', async () => {
      const { bus } = redisBackplane(await connected())
      const heard: string[] = []
      let missed = 0
      const publishAfter = async () => {
        missed++
        await admin.publish('mcp:bus:channel', `after ${missed}`)
      }
      const stop = await bus.subscribe(
        'channel',
        (message) => heard.push(message),
        () => void publishAfter(),
      )
      for (let time = 1; time <= 3; time++) {
        await admin.client('KILL', 'TYPE', 'PUBSUB')
        // What is published when `missed` is called must be heard: no message is sent twice here.
        await waitFor(() => heard.includes(`after ${time}`))
      }
      expect(missed).toBe(3)
      await stop()
    })

    test('is there while anybody listens, and is ended with the last', async () => {
      const { bus } = redisBackplane(await connected())
      await untilNone()
      const stops = [await bus.subscribe('a', () => undefined), await bus.subscribe('b', () => undefined)]
      expect(await subscribers()).toBe(1)
      await stops[0]?.()
      expect(await subscribers()).toBe(1)
      await stops[1]?.()
      await untilNone()
      await (await bus.subscribe('a', () => undefined))()
      await untilNone()
    })

    async function untilNone(): Promise<void> {
      const deadline = performance.now() + 5_000
      while ((await subscribers()) > 0 && performance.now() < deadline) await sleep(10)
      expect(await subscribers()).toBe(0)
    }

    test('that is dead and looks open is found and replaced', async () => {
      const proxy = await openDeafProxy(server.port)
      const redis = new RedisPort(toClientPort(await connected(proxy.port)))
      const bus = new RedisBus(redis, new Keys('mcp'), { silence: 100, answer: 300, pause: 50 })
      const heard: string[] = []
      let missed = 0
      const stop = await bus.subscribe(
        'channel',
        (message) => heard.push(message),
        () => missed++,
      )
      await bus.publish('channel', 'before')
      await waitFor(() => heard.includes('before'))
      await sleep(1_000)
      expect(missed).toBe(0)
      proxy.deafen()
      await waitFor(() => missed > 0)
      await bus.publish('channel', 'after')
      await waitFor(() => heard.includes('after'))
      await stop()
    })

    test('does not keep a process alive whose client is closed', async () => {
      const child = spawn(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '-e', leaver(_name, server.port)],
        {
          cwd: fileURLToPath(new URL('.', import.meta.url)),
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      )
      onTestFinished(() => void child.kill('SIGKILL'))
      await within(40_000, ended(child))
      expect(child.exitCode).toBe(0)
    }, 60_000)
  })
})

async function ended(child: ChildProcess): Promise<void> {
  await once(child, 'exit')
}

function leaver(name: string, port: number): string {
  return `
    import { clients } from './clients.ts'
    import { redisBackplane } from '../src/index.ts'
    const { client, close } = await clients['${name}'](${port})
    await redisBackplane(client).bus.subscribe('channel', () => undefined)
    await close()
  `
}

interface DeafProxy {
  readonly port: number
  /** The connections that subscribed by now get nothing more through, either way, and stay open. */
  deafen(): void
}

async function openDeafProxy(port: number): Promise<DeafProxy> {
  const subscribed = new Set<Socket>()
  const deaf = new Set<Socket>()
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const database = connect({ port, host: '127.0.0.1' })
    client.on('data', (bytes: Buffer) => {
      if (bytes.toString('latin1').toLowerCase().includes('$9\r\nsubscribe')) subscribed.add(client)
      if (!deaf.has(client)) database.write(bytes)
    })
    database.on('data', (bytes: Buffer) => {
      if (!deaf.has(client)) client.write(bytes)
    })
    for (const [socket, other] of [[client, database] as const, [database, client] as const]) {
      sockets.add(socket)
      socket.on('error', () => other.destroy()).on('close', () => other.destroy())
    }
  })
  const listening = await listen(server as never)
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  return {
    port: listening.port,
    deafen() {
      for (const socket of subscribed) deaf.add(socket)
    },
  }
}
