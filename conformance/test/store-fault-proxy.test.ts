import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type FaultProxy, openFaultProxy } from '../src/store/fault-proxy.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** Answers each chunk with the same in brackets, and remembers what it got. */
async function startDatabase(): Promise<{ port: number; commands: string[] }> {
  const commands: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      commands.push(String(bytes))
      socket.write(`[${bytes}]`)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
  return { port: (server.address() as AddressInfo).port, commands }
}

async function start(): Promise<{ proxy: FaultProxy; commands: string[] }> {
  const { port, commands } = await startDatabase()
  const proxy = await openFaultProxy({ port })
  closing.push(() => proxy.close())
  return { proxy, commands }
}

async function dial({ port }: FaultProxy): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  closing.push(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

function closeOf(socket: Socket): Promise<undefined> {
  return new Promise((resolve) => socket.once('close', () => resolve(undefined)))
}

/** What comes back; `undefined` when the connection breaks before. */
async function ask(socket: Socket, command: string): Promise<string | undefined> {
  const closed = closeOf(socket)
  const answered = new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(String(bytes))))
  socket.write(command)
  return await Promise.race([answered, closed])
}

test('carries commands and replies', async () => {
  const { proxy } = await start()
  expect(await ask(await dial(proxy), 'ping')).toBe('[ping]')
})

test('cuts connections off, and refuses new ones until they are let through again', async () => {
  const { proxy } = await start()
  const socket = await dial(proxy)
  expect(await ask(socket, 'one')).toBe('[one]')
  const closed = closeOf(socket)
  await proxy.faults.disconnect()
  await closed
  expect(await ask(await dial(proxy), 'two')).toBeUndefined()
  await proxy.faults.reconnect()
  expect(await ask(await dial(proxy), 'three')).toBe('[three]')
})

test('passes a command on and breaks the connection before its reply, once', async () => {
  const { proxy, commands } = await start()
  const socket = await dial(proxy)
  expect(await ask(socket, 'hello')).toBe('[hello]')
  await proxy.faults.loseNextReply()
  expect(await ask(socket, 'lost')).toBeUndefined()
  expect(commands).toEqual(['hello', 'lost'])
  expect(await ask(await dial(proxy), 'hello')).toBe('[hello]')
})

test('does not lose the reply with which a connection begins', async () => {
  const { proxy } = await start()
  await proxy.faults.loseNextReply()
  const socket = await dial(proxy)
  expect(await ask(socket, 'hello')).toBe('[hello]')
  expect(await ask(socket, 'lost')).toBeUndefined()
})
