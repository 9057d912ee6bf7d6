import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { McpClient, ping } from '../../../test-support/client/mcp-client.ts'
import { send } from '../../../test-support/client/reply.ts'

const require = createRequire(import.meta.url)

/** A worker for each SDK. */
const workers = ['worker', 'worker-2'] as const
type WorkerName = (typeof workers)[number]

/** The sources, bundled for a runtime that has nothing of Node's. What is left as an import would fail there. */
async function bundle(folder: string, name: WorkerName): Promise<string> {
  const isSdk1 = name === 'worker'
  await build({
    entry: { [name]: fileURLToPath(new URL(`${name}.ts`, import.meta.url)) },
    outDir: folder,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    // Where the server object is of SDK 1.x, 2.x is tried for a client of 2026-07-28, and not found.
    external: isSdk1 ? ['@modelcontextprotocol/server'] : [],
    noExternal: [isSdk1 ? /^(?!@modelcontextprotocol\/server$)/ : /./],
    splitting: false,
    config: false,
    silent: true,
    esbuildOptions: (options) => {
      options.mainFields = ['module', 'main']
      // As wrangler does: SDK 2.x has a part of its own for workerd.
      options.conditions = ['workerd', 'import', 'module']
    },
  })
  return readFile(join(folder, `${name}.js`), 'utf8')
}

const toConfig = (name: WorkerName): string => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "${name}.js")],
  compatibilityDate = "2026-01-01"
);
`

/** The package has a binary for Linux on x64 and arm64 in the lockfile. */
function findWorkerd(): string | undefined {
  try {
    const { default: path } = require('workerd') as { default: string }
    return path
  } catch {
    return undefined
  }
}

const workerd = findWorkerd()
let folder: string
const codes = new Map<WorkerName, string>()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'throughline-hono-'))
  for (const name of workers) codes.set(name, await bundle(folder, name))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

test.each(workers)('%s imports nothing of Node', (name) => {
  const code = codes.get(name)
  expect(code).not.toMatch(/\b(?:from|import|require\()\s*["']node:/)
  expect(code).not.toMatch(/^import /m)
})

/** Starts workerd with a worker. */
function useWorker(name: WorkerName): { url: string; printed: string } {
  const running = { url: '', printed: '' }
  let child: ChildProcess

  beforeAll(async () => {
    const path = join(folder, `${name}.capnp`)
    await writeFile(path, toConfig(name))
    child = spawn(workerd as string, ['serve', path, '--control-fd=3'], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (running.printed += chunk))
    const port = await new Promise<string>((resolve, reject) => {
      child.once('exit', () => reject(new Error(`workerd ended: ${running.printed}`)))
      let text = ''
      child.stdio[3]?.on('data', (chunk) => {
        text += chunk
        const found = /"port":\s*(\d+)/.exec(text)
        if (found?.[1]) resolve(found[1])
      })
    })
    running.url = `http://127.0.0.1:${port}/mcp`
  })

  afterAll(() => {
    child.kill('SIGKILL')
  })

  return running
}

describe.skipIf(!workerd)('in workerd', () => {
  const running = useWorker('worker')

  test('serves a session, JSON answers and event streams, with the headers of middleware', async () => {
    const { url } = running
    const client = await McpClient.open(url)
    expect(await client.textOf('echo', { text: 'Grüße 🦉' })).toBe('Grüße 🦉')
    const pong = await client.post(ping)
    expect(pong.headers).toMatchObject({ 'content-type': 'application/json', 'x-late': 'yes' })

    const reply = await client.call('report', { text: 'done' })
    expect(reply.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-late': 'yes' })
    for (const data of [1, 2]) expect((await reply.events.next()).message).toMatchObject({ params: { data } })
    expect(await reply.answer()).toMatchObject({ result: { content: [{ text: 'done' }] } })
    await reply.events.ended

    const malformed = await client.post('{')
    expect(await malformed.json()).toMatchObject({ error: { code: -32700 } })
    const refused = await send(url, { method: 'PUT' })
    expect([refused.status, refused.headers.allow]).toEqual([405, 'GET, POST, DELETE'])
    expect((await client.delete()).status).toBe(204)
    expect((await client.post(ping)).status).toBe(404)
    expect(running.printed).toBe('')
  })
})

describe.skipIf(!workerd)('in workerd, with SDK 2.x', () => {
  const running = useWorker('worker-2')
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const ask = (id: number, method: string, params: Record<string, unknown> = {}) =>
    send(running.url, {
      method: 'POST',
      headers: {
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...(typeof params.name === 'string' && { 'mcp-name': params.name }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta } }),
    })

  test('serves both eras on one URL, subscriptions too', async () => {
    const client = await McpClient.open(running.url)
    expect(await client.textOf('echo', { text: 'by session' })).toBe('by session')
    expect((await client.delete()).status).toBe(204)

    const discovered = await ask(1, 'server/discover')
    expect(await discovered.json()).toMatchObject({ id: 1, result: { supportedVersions: ['2026-07-28'] } })
    const called = await ask(2, 'tools/call', { name: 'echo', arguments: { text: 'alone' } })
    expect(await called.json()).toMatchObject({ id: 2, result: { content: [{ text: 'alone' }] } })
    const listening = await ask(3, 'subscriptions/listen', { notifications: { toolsListChanged: true } })
    expect(listening.headers).toMatchObject({ 'content-type': 'text/event-stream' })
    expect((await listening.events.next()).message).toMatchObject({
      method: 'notifications/subscriptions/acknowledged',
    })
    listening.response.destroy()
    expect(running.printed).toBe('')
  })
})
