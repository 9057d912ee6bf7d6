import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

const programs = fileURLToPath(new URL('programs', import.meta.url))

/**
 * Installs packages of these exact versions into a folder for temporary files, with the programs of this folder beside
 * them, and gives the folder. What was installed before is taken as it is.
 */
export async function install(packages: Readonly<Record<string, string>>): Promise<string> {
  const wanted = JSON.stringify({ private: true, type: 'module', dependencies: packages }, undefined, 2)
  const folder = join(tmpdir(), 'conformance-peers', createHash('sha256').update(wanted).digest('hex').slice(0, 12))
  if (!(await exists(folder))) await installInto(folder, wanted)
  await cp(programs, folder, { recursive: true })
  return folder
}

async function installInto(folder: string, wanted: string): Promise<void> {
  const unfinished = `${folder}.${process.pid}`
  await mkdir(unfinished, { recursive: true })
  await writeFile(join(unfinished, 'package.json'), wanted)
  // Scripts of packages are not run: servers need none, and what they would fetch is not of the registry.
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel', 'error']
  try {
    await run('npm', args, { cwd: unfinished, timeout: 600_000, maxBuffer: 10_000_000 })
    await rename(unfinished, folder)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    throw error
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
