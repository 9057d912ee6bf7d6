// Makes projects with the packed `@throughline/create-mcp-http`, as `npm create` does, and uses them as their README says:
// install, test, build, then what the Dockerfile leaves in its last stage: a call, and SIGTERM while another runs. One
// project for each template, on one of the SDKs in turn; with `--all` on both. Express keeps its sessions in Redis.
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { type Sdk, type Template, templates } from '../packages/create/src/create-project.ts'
import { findFreePort } from '../test-support/free-port.ts'
import { leftOut, redisInstalled, startRedis } from '../test-support/redis/start-redis.ts'
import { type Listening, mustRun, packAll, startProgram, twoAtATime } from './packing.ts'

const { values } = parseArgs({ options: { all: { type: 'boolean' }, only: { type: 'string' } } })

const projects = templates
  .filter((template) => values.only === undefined || template === values.only)
  .flatMap((template, index): { template: Template; sdk: Sdk }[] =>
    (values.all ? (['1', '2'] as const) : ([index % 2 === 0 ? '1' : '2'] as const)).map((sdk) => ({ template, sdk })),
  )

/** The packages are in no registry yet: the tarballs stand in for the versions that the project asks for. */
async function useTarballs(folder: string, tarballs: ReadonlyMap<string, string>): Promise<void> {
  const file = join(folder, 'package.json')
  const manifest = JSON.parse(await readFile(file, 'utf8'))
  for (const name of Object.keys(manifest.dependencies)) {
    const tarball = tarballs.get(name)
    if (tarball) manifest.dependencies[name] = `file:${tarball}`
  }
  await writeFile(file, JSON.stringify(manifest))
}

/** What the last stage of the Dockerfile copies. */
async function deploy(folder: string): Promise<string> {
  await mustRun('npm', ['prune', '--omit=dev', '--no-audit', '--no-fund'], folder)
  const image = `${folder}-image`
  await mkdir(image)
  for (const name of ['node_modules', 'dist', 'package.json']) {
    await cp(join(folder, name), join(image, name), { recursive: true, verbatimSymlinks: true })
  }
  return image
}

const textOf = ({ content }: Awaited<ReturnType<Client['callTool']>>) => JSON.stringify(content)

async function use(program: Listening, port: number): Promise<void> {
  const client = new Client({ name: 'check', version: '1.0.0' })
  // Some clients add the slash.
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp/`)))
  const forecast = textOf(await client.callTool({ name: 'forecast', arguments: { city: 'Lisbon' } }))
  if (!forecast.includes('Lisbon: sunny')) throw new Error(`Expected a forecast, got ${forecast}`)
  let began = (): void => undefined
  const running = new Promise<void>((resolve) => {
    began = resolve
  })
  const long = client.callTool({ name: 'count', arguments: { to: 10 } }, undefined, {
    onprogress: () => began(),
  })
  await running
  const [counted] = await Promise.all([long, program.terminate()])
  if (!textOf(counted).includes('counted to 10')) throw new Error(`Expected an answer, got ${textOf(counted)}`)
  await client.close()
}

const settings = { ALLOWED_HOSTS: 'mcp.example.com, mcp.example.org' }

async function serve(image: string, env: Readonly<Record<string, string>>): Promise<void> {
  const port = await findFreePort()
  const program = await startProgram(['node', 'dist/main.js'], image, {
    port,
    env: { ...env, ...settings, PORT: String(port) },
  })
  try {
    await use(program, port)
  } finally {
    await program.kill()
  }
}

async function serveOnRedis(image: string): Promise<void> {
  const redis = await startRedis()
  try {
    await serve(image, { REDIS_URL: `redis://127.0.0.1:${redis.port}` })
  } finally {
    await redis.stop()
  }
}

const temporary = await mkdtemp(join(tmpdir(), 'throughline-templates-'))

async function check(template: Template, sdk: Sdk, tarballs: ReadonlyMap<string, string>): Promise<void> {
  const started = performance.now()
  const name = `${template}-sdk${sdk}`
  const folder = join(temporary, name)
  const creator = tarballs.get('@throughline/create-mcp-http') ?? ''
  const create = ['exec', '--yes', `--package=${creator}`, 'create-mcp-http', '--', name, '--template', template]
  await mustRun('npm', [...create, '--sdk', sdk], temporary)
  await useTarballs(folder, tarballs)
  await mustRun('npm', ['install', '--no-audit', '--no-fund'], folder)
  const installed = performance.now()
  await mustRun('npm', ['test'], folder)
  await mustRun('npm', ['run', 'build'], folder)
  const image = await deploy(folder)
  await serve(image, {})
  const onRedis = template === 'express' && redisInstalled
  if (onRedis) await serveOnRedis(image)
  const seconds = [installed - started, performance.now() - started].map((ms) => (ms / 1000).toFixed(1))
  console.log(`✓ ${name}: installed after ${seconds[0]} s, tested, built and run after ${seconds[1]} s`)
}

try {
  const tarballs = await packAll(temporary)
  await twoAtATime(projects, ({ template, sdk }) => check(template, sdk, tarballs))
  if (!redisInstalled) console.warn(leftOut)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  await rm(temporary, { recursive: true, force: true })
}
