// Follows each recipe of docs/recipes.md in an empty folder, as a reader would: installs what it says, from the packed
// packages, writes its files, runs its last command, and calls the tool. How progress came, whether streams resume and how a
// foreign Host was answered must be what the table of the page says. `--only Next` takes the recipes whose heading begins so.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { findFreePort } from '../test-support/free-port.ts'
import { mustRun, packAll, root, startProgram } from './packing.ts'
import { tryStreams } from './recipe-streams.ts'

const { values } = parseArgs({ options: { only: { type: 'string' } } })

interface Recipe {
  readonly name: string
  readonly files: readonly { readonly name: string; readonly text: string }[]
  readonly install: string
  /** Everything before the last runs to its end. */
  readonly commands: readonly string[]
  /** Its last cells in the table of the page: progress, streams, foreign Host. */
  readonly stated: string
}

const fences = /^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm

/** Sections with a command to run. The others only say what does not work. */
function readRecipes(markdown: string): Recipe[] {
  const [, ...sections] = markdown.split(/^## /m)
  const shared = Array.from(markdown.matchAll(fences)).find(([, , name]) => name === 'server.ts')
  return sections.flatMap((section) => {
    const blocks = Array.from(section.matchAll(fences), ([, kind, name, text = '']) => ({ kind, name, text }))
    const lines = blocks.filter(({ kind }) => kind === 'sh').flatMap(({ text }) => text.trim().split('\n'))
    const install = lines.find((line) => line.startsWith('npm install '))
    const commands = lines.filter((line) => line !== install)
    if (!install || commands.length === 0) return []
    const name = section.split('\n', 1)[0] ?? ''
    const files = blocks.flatMap(({ name, text }) => (name ? [{ name, text }] : []))
    return [
      {
        ...{ name, install, commands },
        stated: statedOf(markdown, name),
        files: [{ name: 'server.ts', text: shared?.[3] ?? '' }, ...files],
      },
    ]
  })
}

/** Of a row such as `| [h3](#h3) | the hostname | as it comes | yes | 403 |`. */
function statedOf(markdown: string, name: string): string {
  const row = markdown.split('\n').find((line) => line.startsWith(`| [${name}](#`))
  return (row?.split('|') ?? [])
    .slice(3, 6)
    .map((cell) => cell.trim())
    .join('; ')
}

async function write(folder: string, { files }: Recipe, port: number): Promise<void> {
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'recipe', private: true, type: 'module' }))
  for (const { name, text } of files) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text.replaceAll(/\b3000\b/g, String(port)))
  }
}

async function use(port: number): Promise<string> {
  const url = new URL(`http://127.0.0.1:${port}/mcp`)
  const client = new Client({ name: 'recipes', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(url))
  const forecast = JSON.stringify(await client.callTool({ name: 'forecast', arguments: { city: 'Lisbon' } }))
  if (!forecast.includes('Lisbon: sunny')) throw new Error(`Expected a forecast, got ${forecast}`)
  const times: number[] = []
  const onprogress = () => times.push(performance.now())
  await client.callTool({ name: 'count', arguments: { to: 4 } }, undefined, { onprogress })
  const spread = (times.at(-1) ?? 0) - (times[0] ?? 0)
  const progress = times.length === 0 ? 'none' : times.length === 4 && spread > 200 ? 'as it comes' : 'with the answer'
  await client.close()
  return [progress, await tryStreams(url.href), await fetchWithHost(port)].join('; ')
}

/** `fetch` sets no Host: curl does. */
async function fetchWithHost(port: number): Promise<string> {
  const headers = [
    'Host: rebound.example.com',
    'Content-Type: application/json',
    'Accept: application/json, text/event-stream',
  ]
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'page', version: '1' } }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })
  const flags = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--max-time', '10', '-d', body]
  return mustRun(
    'curl',
    [...flags, ...headers.flatMap((header) => ['-H', header]), `http://127.0.0.1:${port}/mcp`],
    root,
  )
}

async function follow(recipe: Recipe, folder: string, tarballs: ReadonlyMap<string, string>): Promise<string> {
  const port = await findFreePort()
  await write(folder, recipe, port)
  const install = recipe.install
    .split(' ')
    .slice(1)
    .map((word) => tarballs.get(word) ?? word)
  await mustRun('npm', [...install, '--no-audit', '--no-fund'], folder)
  const commands = recipe.commands.map((line) => line.replaceAll(/\b3000\b/g, String(port)).split(' '))
  for (const [file = '', ...args] of commands.slice(0, -1)) await mustRun(file, args, folder)
  const program = await startProgram(commands.at(-1) ?? [], folder, { port, env: { PORT: String(port) } })
  try {
    return await use(port)
  } finally {
    await program.kill()
  }
}

const temporary = await mkdtemp(join(tmpdir(), 'throughline-recipes-'))
try {
  const tarballs = await packAll(temporary)
  const recipes = readRecipes(await readFile(join(root, 'docs', 'recipes.md'), 'utf8'))
  for (const recipe of recipes.filter(({ name }) => name.startsWith(values.only ?? ''))) {
    const started = performance.now()
    const folder = join(temporary, recipe.name.replaceAll(/\W+/g, '-'))
    await mkdir(folder)
    try {
      const found = await follow(recipe, folder, tarballs)
      if (found !== recipe.stated) throw new Error(`The page says "${recipe.stated}", found "${found}"`)
      console.log(`✓ ${recipe.name}: ${found} (${((performance.now() - started) / 1000).toFixed(1)} s)`)
    } catch (error) {
      console.log(`✗ ${recipe.name}: ${error instanceof Error ? error.message : error}`)
      process.exitCode = 1
    }
  }
} finally {
  await rm(temporary, { recursive: true, force: true })
}
