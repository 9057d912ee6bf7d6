// Packs every public package, looks at the tarballs as a registry's users would, installs them in an empty folder
// and runs what their READMEs show. One line per step; ends with 1 and the reason at the first that fails.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { adapters } from '../conformance/mounts/adapters.ts'
import { findFreePort } from '../test-support/free-port.ts'
import { leftOut as postgresLeftOut, skipsPostgres, startPostgres } from '../test-support/postgres/start-postgres.ts'
import { leftOut, redisInstalled, startRedis } from '../test-support/redis/start-redis.ts'
import {
  creatorFolder,
  findPublicPackages,
  mustRun,
  type PublicPackage,
  packAll,
  root,
  run,
  suiteFolder,
  twoAtATime,
  untilItListens,
} from './packing.ts'
import { type Files, type Page, readModules, readProgram, toPrograms } from './readme-programs.ts'

async function step(name: string, check: () => Promise<string | undefined>): Promise<void> {
  const started = performance.now()
  const detail = await check().catch((error: unknown) => {
    console.log(`✗ ${name}\n${error instanceof Error ? error.message : String(error)}`)
    throw new StepFailed()
  })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`✓ ${name}${detail ? `: ${detail}` : ''} (${seconds} s)`)
}

/** Its reason is printed already. */
class StepFailed extends Error {}

async function lint(tarball: string): Promise<string> {
  const bytes = await readFile(tarball)
  const archive = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
  const { messages, pkg } = await publint({ pack: { tarball: archive }, strict: true })
  if (messages.length > 0) {
    const lines = messages.map((message) => `${message.type}: ${formatMessage(message, pkg ?? {}, { color: false })}`)
    throw new Error(lines.join('\n'))
  }
  return 'no remarks'
}

/** What a package must carry for its stack traces, its licence and its page. */
async function listContents(tarball: string): Promise<string> {
  const files = (await mustRun('tar', ['-tzf', tarball], root)).split('\n')
  const isProgram = files.includes('package/dist/bin.js')
  const code = isProgram ? ['dist/bin.js', 'dist/templates/shared/Dockerfile'] : ['dist/index.js', 'dist/index.cjs']
  for (const needed of ['README.md', 'LICENSE', ...code].map((file) => `package/${file}`)) {
    if (!files.includes(needed)) throw new Error(`Expected ${needed} in the tarball`)
  }
  // Templates are projects with tests.
  const own = files.filter((file) => !file.startsWith('package/dist/templates/'))
  const stray = own.filter((file) => /\.test\.|tsconfig|\.tgz$/.test(file)).concat(files.filter(isInstalled))
  if (stray.length > 0) throw new Error(`Expected no tests or tools in the tarball, found\n${stray.join('\n')}`)
  return `${files.length} files`
}

const isInstalled = (file: string) => file.includes('/node_modules/')

interface Manifest {
  readonly version: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

async function readManifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')) as Manifest
}

const tools = ['@modelcontextprotocol/server', '@types/node', 'typescript', 'vitest']

/** The versions that this repository was tested with, of the tools and of whatever the READMEs import: as the examples do. */
async function testedVersions(): Promise<Record<string, string>> {
  const places = new Map(tools.map((name) => [name, '.']))
  for (const example of await readdir(join(root, 'examples'))) {
    const { dependencies, devDependencies } = await readManifest(join('examples', example))
    const names = Object.keys({ ...dependencies, ...devDependencies })
    for (const name of names.filter(isForeign)) places.set(name, join('examples', example))
  }
  const versions: Record<string, string> = {}
  for (const [name, folder] of places) {
    versions[name] = (await readManifest(join(folder, 'node_modules', name))).version
  }
  return versions
}

const isForeign = (name: string) => !name.startsWith('@throughline/')

/** Older majors of frameworks, under the aliases by which the conformance tests know them. */
async function olderMajors(): Promise<Record<string, string>> {
  const { devDependencies = {} } = await readManifest('conformance')
  const aliases = adapters.filter(({ isOlder }) => isOlder).flatMap(({ framework }) => framework)
  return Object.fromEntries(aliases.map((name) => [name, devDependencies[name] ?? '']))
}

async function install(packages: readonly PublicPackage[], into: string): Promise<string> {
  const dependencies = {
    ...(await testedVersions()),
    ...(await olderMajors()),
    ...Object.fromEntries(packages.map(({ name, tarball }) => [name, `file:${tarball}`])),
  }
  await writeFile(
    join(into, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, dependencies }, null, 2),
  )
  await mustRun('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'], into)
  // What its install script would make takes a minute, and is here already.
  const built = join('node_modules', 'better-sqlite3', 'build')
  await cp(join(root, 'examples', 'sqlite', built), join(into, built), { recursive: true })
  return packages.map(({ name }) => name).join(', ')
}

/** Sends one message and reads its answer, plain JSON or event stream. */
async function post(
  url: string,
  sessionId: string | null,
  message: object,
): Promise<{ headers: Headers; answer: unknown }> {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  }
  if (sessionId !== null) headers['mcp-session-id'] = sessionId
  const body = JSON.stringify({ jsonrpc: '2.0', ...message })
  const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) })
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.status} to ${body}\n${text}`)
  if (text === '') return { headers: response.headers, answer: undefined }
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    return { headers: response.headers, answer: JSON.parse(text) }
  }
  const data = text.split('\n').filter((line) => line.startsWith('data: {'))
  return { headers: response.headers, answer: JSON.parse(data.at(-1)?.slice(6) ?? 'null') }
}

async function callForecast(url: string): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'check', version: '1' } }
  const opened = await post(url, null, { id: 1, method: 'initialize', params })
  const sessionId = opened.headers.get('mcp-session-id')
  if (sessionId === null) throw new Error('Expected a session id in the answer to initialize')
  await post(url, sessionId, { method: 'notifications/initialized' })
  const call = { id: 2, method: 'tools/call', params: { name: 'forecast', arguments: { city: 'Lisbon' } } }
  const { answer } = await post(url, sessionId, call)
  const shown = JSON.stringify(answer)
  if (!shown.includes('Lisbon: ')) throw new Error(`Expected the forecast of Lisbon, got ${shown}`)
  return shown.match(/Lisbon: [^"]*/)?.[0] ?? ''
}

type Use = (url: string) => Promise<string>

/** Runs a program that listens on port 3000, on another port, and uses it. */
async function runProgram(folder: string, file: string, program: string, use: Use = callForecast): Promise<string> {
  const port = await findFreePort()
  await writeFile(join(folder, file), program.replaceAll(/\b3000\b/g, String(port)))
  const child = spawn(process.execPath, [file], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  child.stdout.on('data', (chunk) => {
    printed += chunk
  })
  child.stderr.on('data', (chunk) => {
    printed += chunk
  })
  try {
    await untilItListens(child, port, () => printed)
    const seen = await use(`http://127.0.0.1:${port}/mcp`)
    if (!program.includes('SIGTERM')) return seen
    await terminate(child)
    return `${seen}, and ends on SIGTERM`
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${printed}`.trim())
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'close')
    }
  }
}

/** Long enough for what may drain, and for connections that are kept alive. */
const endingMs = 20_000

async function terminate(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  const [code, signal] = await once(child, 'close', { signal: AbortSignal.timeout(endingMs) }).catch(() => [])
  if (code !== 0) throw new Error(`Expected it to end by itself with 0 on SIGTERM, got ${signal ?? code ?? 'no end'}`)
}

/** The same with a database on another port, where the program uses one. */
async function runWithDatabase(folder: string, file: string, program: string): Promise<string> {
  if (program.includes('5432')) return await runWithPostgres(folder, file, program)
  if (!program.includes('6379')) return runProgram(folder, file, program)
  if (!redisInstalled) return leftOut
  const redis = await startRedis()
  try {
    return await runProgram(folder, file, program.replaceAll('6379', String(redis.port)))
  } finally {
    await redis.stop()
  }
}

async function runWithPostgres(folder: string, file: string, program: string): Promise<string> {
  if (skipsPostgres()) return postgresLeftOut
  const { url, stop } = await startPostgres()
  try {
    return await runProgram(folder, file, program.replaceAll('postgres://127.0.0.1:5432/app', url))
  } finally {
    await stop()
  }
}

const modern = `createServer(
  toNodeHandler(createEndpoint({ server: () => new McpServer({ name: 'modern', version: '1.0.0' }) })),
).listen(3000, '127.0.0.1')
`

/** A program on SDK 2.x, of which a process has two copies: that of `import`, and that of `require`. */
const modernPrograms: Files = {
  'modern.mjs': `import { createServer } from 'node:http'
import { McpServer } from '@modelcontextprotocol/server'
import { createEndpoint } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'

${modern}`,
  'modern.cjs': `const { createServer } = require('node:http')
const { McpServer } = require('@modelcontextprotocol/server')
const { createEndpoint } = require('@throughline/mcp-http-core')
const { toNodeHandler } = require('@throughline/mcp-http-core/node')

${modern}`,
}

async function discover(url: string): Promise<string> {
  const prefix = 'io.modelcontextprotocol/'
  const _meta = { [`${prefix}protocolVersion`]: '2026-07-28', [`${prefix}clientCapabilities`]: {} }
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      ...{ 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      ...{ 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'server/discover' },
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta } }),
  })
  const text = await response.text()
  if (!response.ok || !text.includes('"supportedVersions"')) throw new Error(`${response.status}: ${text}`)
  return 'server/discover of 2026-07-28 is answered'
}

/** Refusals of one copy of the core that reach another: in CommonJS each entry is one, and a process may have both kinds. */
const copiesPrograms: Files = {
  'entries.cjs': `const { createServer } = require('node:http')
const { McpServer } = require('@modelcontextprotocol/sdk/server/mcp.js')
const { createEndpoint } = require('@throughline/mcp-http-core')
const { toNodeHandler } = require('@throughline/mcp-http-core/node')

const serve = toNodeHandler(createEndpoint({ server: () => new McpServer({ name: 'entries', version: '1.0.0' }) }))
createServer((request, response) => request.resume().on('end', () => serve(request, response))).listen(3000, '127.0.0.1')
`,
  'kinds.mjs': `import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { createEndpoint } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'

const { Rejection } = createRequire(import.meta.url)('@throughline/mcp-http-core')
const auth = () => {
  throw new Rejection('unauthorized', { message: 'The request body was read by nobody' })
}
const server = () => new McpServer({ name: 'kinds', version: '1.0.0' })
createServer(toNodeHandler(createEndpoint({ server, auth }))).listen(3000, '127.0.0.1')
`,
}

async function beRefused(url: string): Promise<string> {
  const { message } = await post(url, null, { id: 1, method: 'ping' }).then(
    () => new Error('an answer'),
    (error: Error) => error,
  )
  if (!message.includes('The request body was read'))
    throw new Error(`Expected the reason of a refusal, got ${message}`)
  return 'the refusal says why'
}

/** The command of the suite, as `npx` runs it. */
async function runSuite(folder: string, url: string): Promise<string> {
  const bin = join(folder, 'node_modules', '.bin', 'mcp-http-conformance')
  const { code, output } = await run(bin, [url, '--reporter', 'json'], folder)
  if (code !== 0) throw new Error(`Expected exit code 0, got ${code}\n${output.slice(0, 4_000)}`)
  const { counts } = JSON.parse(output) as { counts: Record<string, number> }
  if (!counts.pass || counts.pass < 100) throw new Error(`Expected at least 100 checks to pass, got ${counts.pass}`)
  return `${counts.pass} checks passed`
}

const suiteTest = (url: string) => `import { createMemoryBackplane } from '@throughline/mcp-http-core'
import { describeServer, describeStore } from '@throughline/mcp-http-conformance/vitest'

describeServer('the packed server', { here: { start: () => ({ url: '${url}', close() {} }) } })
describeStore('the packed store', () => ({ backplane: createMemoryBackplane() }))
`

async function runSuiteInVitest(folder: string, url: string): Promise<string> {
  const place = join(folder, 'suite')
  await mkdir(place)
  await writeFile(join(place, 'suite.test.mjs'), suiteTest(url))
  const vitest = join(folder, 'node_modules', 'vitest', 'vitest.mjs')
  const output = await mustRun(process.execPath, [vitest, 'run', '--root', place, '--reporter', 'dot'], place)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
  return output.replaceAll(/\u001b\[\d+m/g, '').match(/Tests\s+(\d+ passed.*)/)?.[1] ?? 'passed'
}

const consumer = `import type { Server } from 'node:http'
import { createServer } from 'node:http'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { Endpoint, EndpointOptions } from '@throughline/mcp-http-core'
import { createEndpoint, createEventIdCodec, createMemoryBackplane, sessionKey } from '@throughline/mcp-http-core'
import { toNodeHandler } from '@throughline/mcp-http-core/node'
import { toFetchHandler } from '@throughline/mcp-http-core/web'

const options: EndpointOptions = {
  server: (session) => new McpServer({ name: session.clientInfo?.name ?? 'unknown', version: '1' }),
  backplane: createMemoryBackplane({ maxBytesPerSession: 1_000_000 }),
  eventIds: createEventIdCodec(),
}
export const endpoint: Endpoint = createEndpoint(options)
export const server: Server = createServer(toNodeHandler(endpoint))
export const handler: (request: Request) => Promise<Response> = toFetchHandler(endpoint)
export async function stop(sessionId: string): Promise<void> {
  await endpoint.notify({ method: 'notifications/tools/list_changed' })
  await endpoint.sessions.end(await sessionKey(sessionId))
  await endpoint.close({ drainMs: 1_000 })
}
// @ts-expect-error a name that does not exist is an error, so the types are real
export const wrong = createEndpoint({ server: options.server, sesions: true })
`

/** An .mts file reads the ESM declarations, a .cts file the CommonJS ones. */
async function readConsumers(pages: readonly Page[]): Promise<Files> {
  const server = await readFile(join(root, 'examples', 'express', 'server.ts'), 'utf8')
  const shown = await Promise.all(pages.map(readModules))
  const own = { 'consumer.mts': consumer, 'consumer.cts': consumer, 'server.mts': server, 'server.cts': server }
  return Object.assign({}, own, ...shown)
}

function onlyEsm(modules: Files): Files {
  return Object.fromEntries(Object.entries(modules).filter(([file]) => file.endsWith('.mts')))
}

interface TypeCheck {
  readonly options: object
  readonly modules: Files
}

async function typeCheck(folder: string, name: string, { options, modules }: TypeCheck): Promise<string> {
  const place = join(folder, name)
  await mkdir(place)
  const shared = {
    ...{ strict: true, exactOptionalPropertyTypes: true, target: 'ES2023', types: ['node'] },
    ...{ noEmit: true, allowImportingTsExtensions: true },
  }
  // The SDK's own declarations are not ours to check.
  const config = { compilerOptions: { ...shared, skipLibCheck: true, ...options }, include: ['.'] }
  await writeFile(join(place, 'tsconfig.json'), JSON.stringify(config))
  for (const [file, text] of Object.entries(modules)) await writeFile(join(place, file), text)
  const tsc = join(folder, 'node_modules', 'typescript', 'bin', 'tsc')
  await mustRun(process.execPath, [tsc, '-p', place], folder)
  const version = await mustRun(process.execPath, [tsc, '--version'], folder)
  return `${version.replace('Version', 'TypeScript')}, ${Object.keys(modules).length} files`
}

const lonely = `import { runConformance } from '@throughline/mcp-http-conformance'
import { describeServer, describeStore } from '@throughline/mcp-http-conformance/vitest'

export const report = runConformance({ url: 'http://127.0.0.1:3000/mcp' })
describeServer('a server', { here: { start: () => ({ url: 'http://127.0.0.1:3000/mcp', close() {} }), levels: ['MUST'] } })
describeStore('a store', () => ({ backplane: {} }), { parts: ['sessions'] })
`

/** The suite alone, without the peers that it can do without: every declaration is looked at. */
async function typeCheckAlone({ name, tarball }: PublicPackage, folder: string): Promise<string> {
  await mkdir(folder)
  const { typescript = '', '@types/node': node = '' } = await testedVersions()
  const dependencies = { typescript, '@types/node': node, [name]: `file:${tarball}` }
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'alone', private: true, dependencies }))
  await mustRun('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'], folder)
  for (const peer of ['vitest', '@throughline/mcp-http-core']) {
    if (existsSync(join(folder, 'node_modules', peer))) throw new Error(`Expected ${peer} not to be installed`)
  }
  const modules = { 'alone.mts': lonely, 'alone.cts': lonely }
  return typeCheck(folder, 'types', { options: { module: 'nodenext', skipLibCheck: false }, modules })
}

async function checkAll(temporary: string): Promise<void> {
  let tarballs: ReadonlyMap<string, string> = new Map()
  await step('pack', async () => {
    tarballs = await packAll(temporary)
    return `${tarballs.size} packages`
  })
  const packages = (await findPublicPackages()).map(({ name, folder }) => {
    return { name, folder, tarball: tarballs.get(name) ?? '' }
  })
  await twoAtATime(packages, async ({ name, tarball, folder }) => {
    await step(`contents of ${name}`, () => listContents(tarball))
    await step(`publint ${name}`, () => lint(tarball))
    if (folder === creatorFolder) return
    await step(`attw ${name}`, async () => {
      const attw = join(root, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js')
      const look = (...flags: string[]) =>
        mustRun(process.execPath, [attw, tarball, '--format', 'ascii', '--no-emoji', ...flags], root)
      // vitest itself cannot be required.
      await look('--profile', 'node16', '--exclude-entrypoints', './vitest')
      await look('--profile', 'esm-only')
      return 'no problems'
    })
  })

  const consumerFolder = join(temporary, 'consumer')
  await mkdir(consumerFolder)
  // Of that nothing is imported: `pnpm test:templates` runs it.
  const imported = packages.filter(({ folder }) => folder !== creatorFolder)
  await step('npm install', () => install(imported, consumerFolder))
  const pages = [{ folder: root }, ...imported.filter(({ folder }) => folder !== suiteFolder)]
  let server = ''
  for (const page of pages) {
    const program = await readProgram(page)
    // The repository's own is the server that everything below is tried on.
    server ||= program
    for (const [file, text] of Object.entries(toPrograms(page, program))) {
      await step(`run ${file}`, () => runWithDatabase(consumerFolder, file, text))
    }
  }
  for (const [file, text] of Object.entries(modernPrograms)) {
    await step(`run ${file}`, () => runProgram(consumerFolder, file, text, discover))
  }
  for (const [file, text] of Object.entries(copiesPrograms)) {
    await step(`run ${file}`, () => runProgram(consumerFolder, file, text, beRefused))
  }
  await step('run mcp-http-conformance', () =>
    runProgram(consumerFolder, 'checked.mjs', server, (url) => runSuite(consumerFolder, url)),
  )
  await step('run the suite in vitest', () =>
    runProgram(consumerFolder, 'tested.mjs', server, (url) => runSuiteInVitest(consumerFolder, url)),
  )
  const modules = await readConsumers(pages)
  await step('types, nodenext', () =>
    typeCheck(consumerFolder, 'nodenext', { options: { module: 'nodenext' }, modules }),
  )
  const suite = packages.find(({ folder }) => folder === suiteFolder)
  if (suite) await step('types of the suite, alone', () => typeCheckAlone(suite, join(temporary, 'alone')))
  const options = { module: 'esnext', moduleResolution: 'bundler' }
  await step('types, bundler', () => typeCheck(consumerFolder, 'bundler', { options, modules: onlyEsm(modules) }))
}

const temporary = await mkdtemp(join(tmpdir(), 'throughline-packages-'))
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    rmSync(temporary, { recursive: true, force: true })
    process.exit(1)
  })
}
try {
  await checkAll(temporary)
} catch (error) {
  if (!(error instanceof StepFailed)) console.error(error)
  process.exitCode = 1
} finally {
  await rm(temporary, { recursive: true, force: true })
}
