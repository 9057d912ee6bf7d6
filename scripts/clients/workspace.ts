import { createHash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mustRun } from './children.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const coreFolder = fileURLToPath(new URL('../../packages/core', import.meta.url))

/** Folders with packages installed, apart from this repository: each is what a user of these packages has. */
export class Workspace {
  readonly #root: string
  readonly #folders = new Map<string, Promise<string>>()
  #tarball: Promise<string> | undefined

  constructor(root: string) {
    this.#root = root
  }

  /** A folder with a client's packages, and with the drivers. It is made once. */
  ofClient(packages: readonly string[]): Promise<string> {
    const key = packages.join(' ')
    const folder = this.#folders.get(key) ?? this.#makeOfClient(packages)
    this.#folders.set(key, folder)
    return folder
  }

  async #makeOfClient(packages: readonly string[]): Promise<string> {
    const folder = await this.#install('client', packages, packages)
    await cp(join(here, 'drivers'), join(folder, 'drivers'), { recursive: true })
    return folder
  }

  /** A folder with the core as it would be published, with a server's packages and with the servers. */
  async ofServer(packages: readonly string[]): Promise<string> {
    this.#tarball ??= pack(this.#root)
    const tarball = await this.#tarball
    const folder = await this.#install('server', packages, [tarball, ...packages])
    await cp(join(here, 'server'), folder, { recursive: true })
    return folder
  }

  async #install(kind: string, packages: readonly string[], specifiers: readonly string[]): Promise<string> {
    const name = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 12)
    const folder = join(this.#root, `${kind}-${name}`)
    const wanted = JSON.stringify(specifiers)
    if ((await readMark(folder)) === wanted) return folder
    console.error(`installing ${packages.join(' ')}`)
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--save-exact', '--silent']
    await mustRun('npm', ['install', ...flags, ...specifiers], folder)
    await writeFile(join(folder, 'installed'), wanted)
    return folder
  }
}

/** What a folder of an earlier run has. */
async function readMark(folder: string): Promise<string | undefined> {
  try {
    return await readFile(join(folder, 'installed'), 'utf8')
  } catch {
    return undefined
  }
}

/** Builds and packs the core. The tarball has a name of its own content, so that a folder with another is made anew. */
async function pack(root: string): Promise<string> {
  const into = join(root, 'packed')
  await rm(into, { recursive: true, force: true })
  await mkdir(into, { recursive: true })
  await pnpm(['run', 'build'])
  await pnpm(['pack', '--pack-destination', into])
  const [file] = await readdir(into)
  if (file === undefined) throw new Error('Expected a tarball of the core')
  const bytes = await readFile(join(into, file))
  const tarball = join(root, `core-${createHash('sha256').update(bytes).digest('hex').slice(0, 12)}.tgz`)
  await writeFile(tarball, bytes)
  return tarball
}

/** The pnpm that started this script, else the one that the README names. */
async function pnpm(args: readonly string[]): Promise<void> {
  const starter = process.env.npm_execpath ?? ''
  if (/^pnpm\.c?js$/.test(basename(starter))) await mustRun(process.execPath, [starter, ...args], coreFolder)
  else await mustRun('npx', ['-y', 'pnpm@10', ...args], coreFolder)
}
