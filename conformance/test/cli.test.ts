import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ReferenceServer, startReferenceServer } from '../doubles/reference-server.ts'
import type { Report } from '../src/report.ts'
import { requirements } from '../src/requirements/index.ts'

const root = new URL('../..', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'throughline-cli-'))
const few = 'session/unknown-id-is-404,post/malformed-json-is-400,lifecycle/'

afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The command as `pnpm conformance` runs it. */
function run(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'conformance/src/cli/bin.ts', ...args], { cwd: root })
  const printed = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      printed[name] += chunk
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ code, ...printed }))
  })
}

describe.concurrent('mcp-http-conformance', { timeout: 60_000 }, () => {
  let correct: ReferenceServer
  let broken: ReferenceServer

  beforeAll(async () => {
    correct = await startReferenceServer()
    broken = await startReferenceServer({ defects: new Set(['unknown-session-is-400-on-post']) })
  })
  afterAll(async () => {
    await correct.close()
    await broken.close()
  })

  test('prints a summary and ends with 0 for a server that meets everything', async () => {
    const { code, stdout, stderr } = await run(correct.url, '--only', few)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain(correct.url)
    expect(stdout).not.toContain('\u001b[')
  })

  test('names the failure, its clause and a curl line, and ends with 1', async () => {
    const { code, stdout } = await run(broken.url, '--only', few)
    expect(code).toBe(1)
    expect(stdout).toContain('session/unknown-id-is-404')
    expect(stdout).toContain(
      'https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#session-management',
    )
    expect(stdout).toContain('curl -sS')
  })

  test('--reporter json prints the report and nothing else', async () => {
    const { code, stdout } = await run(broken.url, '--only', few, '--reporter', 'json')
    const report: Report = JSON.parse(stdout)
    expect(code).toBe(1)
    expect(report).toMatchObject({
      version: 1,
      target: { url: broken.url, revision: '2025-11-25' },
      counts: { fail: 1 },
    })
  })

  test('--output writes the report to a file and a summary to the terminal', async () => {
    const file = join(folder, 'junit.xml')
    const { code, stdout } = await run(correct.url, '--only', few, '--reporter', 'junit', '--output', file)
    expect(code).toBe(0)
    expect(readFileSync(file, 'utf8')).toMatch(/^<\?xml .*<testsuites?/s)
    expect(stdout).not.toContain('<?xml')
  })

  test('puts saved reports side by side, and fails when one of them does', async () => {
    const files = [join(folder, 'correct.json'), join(folder, 'broken.json')] as const
    await run(correct.url, '--only', few, '--reporter', 'json', '--output', files[0])
    await run(broken.url, '--only', few, '--reporter', 'json', '--output', files[1])
    const { code, stdout } = await run(...files, '--reporter', 'markdown')
    expect(code).toBe(1)
    expect(stdout).toContain(correct.url)
    expect(stdout).toContain(broken.url)
  })

  test('a baseline lets a known failure be, and a stale entry of it fails', async () => {
    const file = join(folder, 'baseline.yml')
    writeFileSync(file, 'session/unknown-id-is-404: known since 1.2\n')
    expect((await run(broken.url, '--only', few, '--baseline', file)).code).toBe(0)
    const stale = await run(correct.url, '--only', few, '--baseline', file)
    expect(stale.code).toBe(1)
    expect(stale.stdout).toContain('session/unknown-id-is-404')
  })

  test('--strict makes a warning a failure', async () => {
    const double = await startReferenceServer({ defects: new Set(['accept-refused-with-400']) })
    const only = 'post/unacceptable-is-406'
    const codes = [
      (await run(double.url, '--only', only)).code,
      (await run(double.url, '--only', only, '--strict')).code,
    ]
    await double.close()
    expect(codes).toEqual([0, 1])
  })

  test('ends with 3 when nothing answers, and tells that in one line', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const { code, stdout, stderr } = await run(`http://127.0.0.1:${port}/mcp`)
    expect([code, stdout]).toEqual([3, ''])
    expect(stderr).toMatch(/^error: http:\/\/127\.0\.0\.1:\d+\/mcp cannot be reached: .*ECONNREFUSED.*\n$/)
  })

  test.each([
    [[], /missing required argument/],
    [['not-a-url'], /Expected a URL that begins with http/],
    [['http://127.0.0.1:1/mcp', '--reporter', 'xml'], /Allowed choices are terminal, json/],
    [['http://127.0.0.1:1/mcp', '--only', 'no/such-id'], /Expected the id of a requirement/],
    [['http://127.0.0.1:1/mcp', '--timeout', 'soon'], /Expected a time such as/],
    [['http://127.0.0.1:1/mcp', '--tool', 'job'], /Expected ROLE=NAME with a role of echo, progress/],
    [['http://127.0.0.1:1/mcp', '--header', 'no colon'], /Expected "Name: value"/],
    [['http://127.0.0.1:1/mcp', '--token', '@/no/such/file'], /file of the token cannot be read/],
    [['http://127.0.0.1:1/mcp', '--nonsense'], /unknown option/],
  ])('ends with 2 and says what it expected of %j', async (args, message) => {
    const { code, stdout, stderr } = await run(...args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/\n\s+at /)
  })

  test('a tool of another name plays a role', async () => {
    const { stdout } = await run(
      correct.url,
      '--only',
      'post-stream/',
      '--tool',
      'progress=burst {"count":4}',
      '--reporter',
      'json',
    )
    expect((JSON.parse(stdout) as Report).target.roles.progress).toBe('burst')
  })

  test('list prints every requirement, --help an example, --version the version', async () => {
    const listed = (await run('list')).stdout
    for (const { id } of requirements) expect(listed).toContain(` ${id}\n`)
    expect(await run('--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('mcp-http-conformance probe'),
    })
    expect((await run('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test('probe prints findings, or JSON', async () => {
    const text = await run('probe', correct.url, '--idle', '1s')
    expect(text.code).toBe(0)
    const { stdout } = await run('probe', correct.url, '--idle', '1s', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ version: 1, url: correct.url })
  })
})
