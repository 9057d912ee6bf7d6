import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ReferenceServer, startReferenceServer } from '../doubles/reference-server.ts'
import { description } from '../src/cli/help.ts'
import { countVerdicts, type Report, type Result } from '../src/report.ts'
import { reporterNames } from '../src/reporters/index.ts'
import { requirements } from '../src/requirements/index.ts'
import { toResult } from '../src/runner.ts'
import { startChangingProxy } from './changing-proxy.ts'

const root = new URL('../..', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'throughline-cli-'))
const few = 'session/unknown-id-is-404,post/malformed-json-is-400,lifecycle/'

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function reportOf(results: readonly Result[]): Report {
  return {
    version: 1,
    suite: { name: 'suite', version: '1' },
    target: { url: 'http://127.0.0.1/mcp', server: '', revision: null, revisions: [], offers: [], roles: {} },
    ...{ startedAt: new Date(0).toISOString(), durationMs: 1, incomplete: '', counts: countVerdicts(results), results },
  }
}

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** In one file, as it is published: read anew from some hundred files of TypeScript it would begin three times as late. */
const command = new URL('../node_modules/.cache/cli-test/bin.mjs', import.meta.url).pathname

beforeAll(async () => {
  const entryPoints = [join(root, 'conformance/src/cli/bin.ts')]
  await build({ entryPoints, outfile: command, bundle: true, packages: 'external', platform: 'node', format: 'esm' })
})

function start(...args: string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [command, ...args], { cwd: root })
}

function run(...args: string[]): Promise<Ended> {
  return ended(start(...args))
}

/** As `| head` does when it has enough: here at once. */
function runIntoClosedPipe(...args: string[]): Promise<Ended> {
  const child = start(...args)
  child.stdout.destroy()
  return ended(child)
}

function ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
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
    expect(stdout).toContain(`The whole report is in ${file} (junit).`)
    expect(stdout.split('\n').length).toBeLessThan(12)
  })

  test('the summary beside a file names causes and what to change, not every failure', async () => {
    const file = join(folder, 'broken.html')
    const { code, stdout } = await run(broken.url, '--only', few, '--reporter', 'html', '--output', file)
    expect(code).toBe(1)
    expect(stdout).toContain('Unknown and ended sessions are not answered 404')
    expect(stdout).toContain('→ Answer 404')
    expect(stdout).not.toContain('curl')
  })

  test.each(['list', 'roles', '--help'])('ends quietly when the pipe is closed: %s', async (command) => {
    expect(await runIntoClosedPipe(command)).toMatchObject({ code: 0, stderr: '' })
  })

  test.each(reporterNames)('ends quietly when the pipe is closed: --reporter %s', async (reporter) => {
    const [requirement] = requirements
    const results =
      requirement === undefined ? [] : [toResult(requirement, { verdict: 'fail', message: 'Expected 200' })]
    const file = join(folder, `${reporter}.json`)
    writeFileSync(file, JSON.stringify(reportOf(results)))
    expect(await runIntoClosedPipe(file, '--reporter', reporter)).toMatchObject({ code: 1, stderr: '' })
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
    [['http://127.0.0.1:1/mcp', 'http://[bad/mcp'], /Expected a URL such as http.*, got "http:\/\/\[bad\/mcp"/],
    [
      ['http://user:secret@127.0.0.1:1/mcp'],
      /^error: Expected a URL without a user name and password, [^:]*: [^@]*\n$/,
    ],
    [['probe', 'example.com/mcp'], /^error: Expected a URL such as http.*, got "example.com\/mcp"\n$/],
    [['probe', 'ftp://127.0.0.1/mcp'], /^error: Expected a URL such as http.*, got "ftp:\/\/127.0.0.1\/mcp"\n$/],
    [['probe', 'http://user:secret@127.0.0.1:1/mcp'], /^error: Expected a URL without a user name and password/],
    [['http://127.0.0.1:1/mcp', '--timeout', 'soon'], /Expected a time such as/],
    [['http://127.0.0.1:1/mcp', '--tool', 'job'], /Expected ROLE=NAME with a role of echo, progress/],
    [
      ['http://127.0.0.1:1/mcp', '--tool', 'slow=wait [1]'],
      /Expected the arguments .* a JSON object, such as .*, got \[1\]/,
    ],
    [['http://127.0.0.1:1/mcp', '--tool', 'slow=wait {unit'], /Expected the arguments .* a JSON object, .*, got {unit/],
    [['http://127.0.0.1:1/mcp', '--header', 'no colon'], /^error: Expected --header to be "Name: value"\n$/],
    [['http://127.0.0.1:1/mcp', '--token', '@/no/such/file'], /file of the token cannot be read/],
    [
      ['http://127.0.0.1:1/mcp', '--token', '--strict'],
      /'--strict' is invalid. Expected a token, or @FILE that holds one/,
    ],
    [['http://127.0.0.1:1/mcp', '--token', ''], /^error: Expected a token of visible ASCII .*, it is empty\n$/],
    [
      ['http://127.0.0.1:1/mcp', '--other-token', 'a secret'],
      /^error: Expected a token of visible .*, it has others\n$/,
    ],
    [['http://127.0.0.1:1/mcp', '--only', ','], /',' is invalid. Expected ids, or areas such as session/],
    [['http://127.0.0.1:1/mcp', '--nonsense'], /unknown option/],
    [['http://127.0.0.1:1/mcp', '--baseline', 'no/such.yml'], /Expected --baseline to be a file: ENOENT/],
    [['http://127.0.0.1:1/mcp', '--output', 'no/such/folder.json'], /Expected the folder of --output to exist/],
    [['http://127.0.0.1:1/mcp', '--output', '--no-color'], /'--no-color' is invalid. Expected the name of a file/],
    [['http://127.0.0.1:1/mcp', '--baseline', '--strict'], /'--strict' is invalid. Expected the name of a file/],
    [['package.json'], /^error: package\.json: Expected a report of version 1, got an object without a version\n$/],
    [
      ['http://127.0.0.1:1/mcp', 'conformance/README.md'],
      /^error: conformance\/README.md: Expected a report in JSON: /,
    ],
    [['http://127.0.0.1:1/mcp', '--output', 'conformance'], /Expected --output to be a file, conformance is a folder/],
  ])('ends with 2 and says what it expected of %j', async (args, message) => {
    const { code, stdout, stderr } = await run(...args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/\n\s+at /)
  })

  test('a tool that only the first of two servers has fails the command, and the report of that one is there', async () => {
    const file = join(folder, 'first.json')
    const args = ['--tool', 'progress=other', '--only', few, '--reporter', 'json', '--output', file]
    const changes = { reply: (text: string) => text.replace('"name":"burst"', '"name":"other"') }
    const first = await startChangingProxy(correct.url, changes)
    const { code, stderr } = await run(first.url, correct.url, ...args)
    first.close()
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error: Expected --tool progress to name a tool of the server, got "other"/m)
    expect((JSON.parse(readFileSync(file, 'utf8')) as Report).target.url).toBe(first.url)
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

  test('fits its help into 80 columns, with the number of requirements and every exit code', async () => {
    for (const args of [['--help'], ['probe', '--help']]) {
      const { stdout } = await run(...args)
      expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
      for (const code of [0, 1, 2, 3]) expect(stdout).toMatch(new RegExp(`^  ${code}  `, 'm'))
    }
    expect((await run('--help')).stdout).toContain(`${requirements.length} requirements`)
  })

  test('says the same as the README and the documentation of what a run does to a server', () => {
    const [, deeds = ''] = description.split('\n\n')
    for (const file of ['conformance/README.md', 'docs/conformance.md']) {
      const text = readFileSync(join(root, file), 'utf8').replaceAll('`', '')
      expect(text.replaceAll(/\s+/g, ' '), file).toContain(deeds.replaceAll(/\s+/g, ' '))
    }
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
