import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { skipsRedis, startRedis } from '../../test-support/redis/start-redis.ts'
import { adapterNames, backplaneForms, parserNames } from '../mounts/index.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Run {
  readonly child: ChildProcess
  stdout: string
  stderr: string
  readonly ended: Promise<number | null>
}

function everything(...flags: string[]): Run {
  const args = ['--import', 'tsx', 'conformance/everything.ts', ...flags]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'close').then(([code]): number | null => code)
  const run: Run = { child, stdout: '', stderr: '', ended }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (run.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (run.stderr += text))
  return run
}

async function untilListening(run: Run): Promise<string> {
  while (!run.stdout.includes('\n')) {
    const isOver = await Promise.race([run.ended.then(() => true), once(run.child.stdout ?? run.child, 'data')])
    if (isOver === true) throw new Error(`ended before it listened: ${run.stderr}`)
  }
  const url = /^listening (http:\/\/127\.0\.0\.1:\d+\/mcp)\n$/.exec(run.stdout)?.[1]
  if (url === undefined) throw new Error(`unexpected output: ${run.stdout}`)
  return url
}

async function post(url: string, message: object, sessionId?: string): Promise<Response> {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  }
  if (sessionId !== undefined) headers['mcp-session-id'] = sessionId
  return fetch(url, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) })
}

function initialize(url: string): Promise<Response> {
  const clientInfo = { name: 'test', version: '1.0.0' }
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo }
  return post(url, { id: 1, method: 'initialize', params })
}

async function openSession(url: string): Promise<string> {
  const response = await initialize(url)
  await response.text()
  const sessionId = response.headers.get('mcp-session-id')
  if (sessionId === null) throw new Error(`no session: ${response.status}`)
  await post(url, { method: 'notifications/initialized' }, sessionId)
  return sessionId
}

test.each([
  [['--adapter', 'fastify', '--parser'], `Expected --parser only with ${parserNames.join(', ')}, got it with fastify`],
  [['--adapter', 'nest'], `Expected --adapter to be one of ${adapterNames.join(', ')}, got "nest"`],
  [['--port', 'http'], 'Expected --port to be a whole number from 0 to 65535, got "http"'],
  [['--port', '65536'], 'Expected --port to be a whole number from 0 to 65535, got 65536'],
  [['--response', 'xml'], 'Expected --response to be one of auto, sse, json, got "xml"'],
  [['--adaptor', 'node'], 'Unknown option `--adaptor`'],
  [['--port'], 'option `--port <number>` value is missing'],
  [['node'], 'Expected only flags, got "node"'],
  [['--backplane', 'redis://localhost'], `Expected --backplane to be ${backplaneForms}, got "redis://localhost"`],
  [['--backplane', 'kafka://127.0.0.1:1'], `Expected --backplane to be ${backplaneForms}, got "kafka://127.0.0.1:1"`],
])('refuses %j with a message and the usage', async (flags, message) => {
  const run = everything(...flags)
  expect(await run.ended).toBe(2)
  const [first, second] = run.stderr.trimEnd().split('\n')
  expect(first).toBe(message)
  expect(second).toMatch(/^Usage: pnpm everything --adapter /)
  expect(run.stdout).toBe('')
})

test.each(adapterNames)('finishes a call that is running when SIGTERM comes, and exits with 0: %s', async (adapter) => {
  const run = everything('--adapter', adapter, '--port', '0')
  const url = await untilListening(run)
  const sessionId = await openSession(url)
  // The head comes once the call has become an event stream: it is running then.
  const params = { name: 'slow', arguments: { ms: 1_000 } }
  const response = await post(url, { id: 2, method: 'tools/call', params }, sessionId)
  run.child.kill('SIGTERM')
  expect(await response.text()).toContain('slept 1000')
  expect(await run.ended).toBe(0)
  expect(run.stdout).toBe(`listening ${url}\n`)
})

test('exits with 0 on SIGINT', async () => {
  const run = everything('--adapter', 'node', '--port', '0')
  await untilListening(run)
  run.child.kill('SIGINT')
  expect(await run.ended).toBe(0)
})

test('--stateless and --response reach the endpoint, with a parser in front too', async () => {
  const run = everything('--adapter', 'express', '--port', '0', '--stateless', '--response', 'json', '--parser')
  const response = await initialize(await untilListening(run))
  expect(response.headers.get('content-type')).toMatch(/^application\/json/)
  expect(response.headers.get('mcp-session-id')).toBeNull()
  expect(await response.json()).toMatchObject({ id: 1, result: { protocolVersion: '2025-11-25' } })
})

test('exits with 1 where there is no database at the URL of --backplane, and names it', async () => {
  const run = everything('--port', '0', '--backplane', 'redis://127.0.0.1:1')
  expect(await run.ended).toBe(1)
  expect(run.stderr).toContain('Expected a Redis at 127.0.0.1:1: connect ECONNREFUSED')
  expect(run.stdout).toBe('')
})

test.skipIf(skipsRedis())('--backplane serves the sessions of another process, which may end', async () => {
  const redis = await startRedis()
  onTestFinished(() => redis.stop())
  const flags = ['--adapter', 'node', '--port', '0', '--backplane', `redis://127.0.0.1:${redis.port}/1`]
  const [first, second] = [everything(...flags), everything(...flags)]
  const [firstUrl, secondUrl] = await Promise.all([untilListening(first), untilListening(second)])
  const sessionId = await openSession(firstUrl)
  const ping = { id: 2, method: 'ping' }
  const forwarded = await post(secondUrl, ping, sessionId)
  expect(await forwarded.json()).toEqual({ jsonrpc: '2.0', id: 2, result: {} })
  first.child.kill('SIGTERM')
  expect(await first.ended).toBe(0)
  const takenOver = await post(secondUrl, ping, sessionId)
  expect(await takenOver.json()).toEqual({ jsonrpc: '2.0', id: 2, result: {} })
  expect(first.stderr + second.stderr).toBe('')
})
