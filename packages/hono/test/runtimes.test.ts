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

/** The sources, bundled for a runtime that has nothing of Node's. What is left as an import would fail there. */
async function bundle(folder: string): Promise<string> {
  await build({
    entry: { worker: fileURLToPath(new URL('worker.ts', import.meta.url)) },
    outDir: folder,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    // The worker's server object is of SDK 1.x: 2.x is tried for a client of 2026-07-28, and not found.
    external: ['@modelcontextprotocol/server'],
    noExternal: [/^(?!@modelcontextprotocol\/server$)/],
    config: false,
    silent: true,
    esbuildOptions: (options) => {
      options.mainFields = ['module', 'main']
    },
  })
  return readFile(join(folder, 'worker.js'), 'utf8')
}

const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
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
let code: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'throughline-hono-'))
  code = await bundle(folder)
})

afterAll(() => rm(folder, { recursive: true, force: true }))

test('imports nothing of Node', () => {
  expect(code).not.toMatch(/\b(?:from|import|require\()\s*["']node:/)
  expect(code).not.toMatch(/^import /m)
})

describe.skipIf(!workerd)('in workerd', () => {
  let child: ChildProcess
  let url: string
  let printed = ''

  beforeAll(async () => {
    await writeFile(join(folder, 'config.capnp'), config)
    child = spawn(workerd as string, ['serve', join(folder, 'config.capnp'), '--control-fd=3'], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (printed += chunk))
    const port = await new Promise<string>((resolve, reject) => {
      child.once('exit', () => reject(new Error(`workerd ended: ${printed}`)))
      let text = ''
      child.stdio[3]?.on('data', (chunk) => {
        text += chunk
        const found = /"port":\s*(\d+)/.exec(text)
        if (found?.[1]) resolve(found[1])
      })
    })
    url = `http://127.0.0.1:${port}/mcp`
  })

  afterAll(() => {
    child.kill('SIGKILL')
  })

  test('serves a session, JSON answers and event streams, with the headers of middleware', async () => {
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
    expect(printed).toBe('')
  })
})
