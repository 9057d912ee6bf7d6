// Runs the programs of the pages on logging, metrics and tracing, as a reader would.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { readBlocks } from '../../scripts/read-blocks.ts'
import { McpClient } from '../../test-support/client/mcp-client.ts'
import { findFreePort } from '../../test-support/free-port.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

interface Running {
  readonly client: McpClient
  readonly printed: () => string
}

/** Starts the blocks of a page, the last of which serves. `ports` are those that it names. */
async function start(page: string, blocks: readonly number[], ports: Record<string, number>): Promise<Running> {
  const folder = await mkdtemp(join(here, '.page-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const all = readBlocks(await readFile(new URL(`../../docs/${page}.md`, import.meta.url), 'utf8'))
  const files = await Promise.all(
    blocks.map(async (block) => {
      let code = all[block]?.code.replaceAll('./server.ts', '../server.ts') ?? ''
      for (const [named, port] of Object.entries(ports)) code = code.replaceAll(named, String(port))
      const file = join(folder, `block-${block}.ts`)
      await writeFile(file, code)
      return file
    }),
  )
  const given = ['tsx', ...files.slice(0, -1)].flatMap((file) => ['--import', file])
  const env = { ...process.env, OTEL_TRACES_EXPORTER: 'console', OTEL_METRICS_EXPORTER: 'none' }
  const child = spawn(process.execPath, [...given, files.at(-1) as string], { cwd: here, env, stdio: 'pipe' })
  onTestFinished(() => void child.kill('SIGKILL'))
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk))
  const url = `http://127.0.0.1:${ports['3000']}/mcp`
  const client = await vi.waitFor(() => McpClient.open(url), { timeout: 30_000, interval: 100 })
  return { client, printed: () => printed }
}

async function forecast(client: McpClient): Promise<void> {
  const params = { name: 'forecast', arguments: { city: 'Lisbon' }, _meta: { traceparent } }
  const reply = await client.post({ jsonrpc: '2.0', id: 2, method: 'tools/call', params })
  expect(await reply.answer()).toMatchObject({ result: { content: [{ text: expect.stringContaining('Lisbon') }] } })
}

test('the page on logging prints the lines that it shows', { timeout: 60_000 }, async () => {
  const { client, printed } = await start('logging', [0], { 3000: await findFreePort() })
  await forecast(client)
  await client.post('{}', { origin: 'https://evil.example' })
  await vi.waitFor(() => {
    expect(printed()).toMatch(/^MCP initialize: result in [\d.]+ ms$/m)
    expect(printed()).toMatch(/^MCP tools\/call forecast: result in [\d.]+ ms$/m)
    expect(printed()).toMatch(/^MCP POST \/mcp: refused with 403 origin_not_allowed from 127\.0\.0\.1$/m)
  })
})

test('the page on metrics serves them', { timeout: 60_000 }, async () => {
  const ports = { 3000: await findFreePort(), 9464: await findFreePort() }
  const { client } = await start('metrics', [0], ports)
  await forecast(client)
  const metrics = await (await fetch(`http://127.0.0.1:${ports[9464]}/metrics`)).text()
  expect(metrics).toMatch(/^mcp_server_operation_duration_seconds_count\{.*gen_ai_tool_name="forecast"\} 1$/m)
  expect(metrics).toMatch(/^throughline_sessions 1$/m)
})

test('the page on tracing prints the spans that it promises', { timeout: 60_000 }, async () => {
  const { client, printed } = await start('tracing', [0, 1], { 3000: await findFreePort() })
  await forecast(client)
  const call = /traceId: '4bf92f3577b34da6a3ce929d0e0e4736'[\s\S]*?name: 'tools\/call forecast'[\s\S]*?links: \[\s+\{/
  // Spans are exported in batches, every five seconds.
  await vi.waitFor(() => expect(printed()).toMatch(call), { timeout: 30_000, interval: 100 })
  expect(printed()).toMatch(/name: 'POST'/)
})
