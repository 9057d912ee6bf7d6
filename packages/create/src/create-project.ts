import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const templates = ['express', 'fastify', 'koa', 'hono', 'node'] as const
export type Template = (typeof templates)[number]

/** Major versions of the MCP SDK. */
export const sdks = ['1', '2'] as const
export type Sdk = (typeof sdks)[number]

export interface Project {
  /** Made if it is missing; must be empty. */
  readonly folder: string
  readonly template: Template
  readonly sdk: Sdk
  /** What the packages of this project are asked for as, such as `^0.1.0`. */
  readonly range: string
}

interface Manifest {
  name?: string
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}

/** Beside the built program, or at the root of the repository. */
const built = fileURLToPath(new URL('templates', import.meta.url))
const source = existsSync(built) ? built : fileURLToPath(new URL('../../../templates', import.meta.url))

/** npm packs no file of this name. */
const gitignore = '_gitignore'

/**
 * Makes a project out of what all templates share, that of the framework and that of the SDK.
 * @throws Error when the folder holds anything.
 */
export async function createProject({ folder, template, sdk, range }: Project): Promise<void> {
  await mkdir(folder, { recursive: true })
  const [found] = await readdir(folder)
  if (found !== undefined) throw new Error(`Expected ${folder} to be empty, it holds ${found}`)
  const parts = ['shared', template, `sdk${sdk}`].map((part) => join(source, part))
  for (const part of parts) await cp(part, folder, { recursive: true })
  const manifests = await Promise.all(parts.map(async (part) => readManifest(join(part, 'package.json'))))
  const name = toPackageName(folder)
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(merge(manifests, name, range), null, 2)}\n`)
  for (const file of ['README.md', 'src/server.ts']) await replaceName(join(folder, file), name)
  await rename(join(folder, gitignore), join(folder, '.gitignore'))
}

async function readManifest(file: string): Promise<Manifest> {
  return JSON.parse(await readFile(file, 'utf8')) as Manifest
}

function merge(manifests: readonly Manifest[], name: string, range: string): Manifest {
  const merged: Manifest = Object.assign({}, ...manifests, { name })
  for (const kind of ['dependencies', 'devDependencies'] as const) {
    const all: [string, string][] = manifests.flatMap((manifest) => Object.entries(manifest[kind] ?? {}))
    all.sort(([one], [other]) => one.localeCompare(other))
    merged[kind] = Object.fromEntries(
      all.map(([dependency, version]) => [dependency, version === '*' ? range : version]),
    )
  }
  return merged
}

/** What npm takes as a name, whatever the folder is called. */
function toPackageName(folder: string): string {
  const name = basename(resolve(folder)).toLowerCase()
  return name.replaceAll(/[^a-z0-9._-]+/g, '-').replaceAll(/^[._-]+|[._-]+$/g, '') || 'mcp-server'
}

async function replaceName(file: string, name: string): Promise<void> {
  await writeFile(file, (await readFile(file, 'utf8')).replaceAll('NAME', name))
}
