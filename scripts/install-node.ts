import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const cache = fileURLToPath(new URL('../node_modules/.cache/node-versions', import.meta.url))

/** The folder with the program `node` of a release, such as `22`, installed from npm. */
export async function installNode(release: string): Promise<string> {
  // One folder for each: npm installs one version of a package.
  const folder = join(cache, release)
  await mkdir(folder, { recursive: true })
  const name = `node-${process.platform}-${process.arch}`
  const flags = ['--prefix', folder, '--no-audit', '--no-fund', '--no-save', '--no-package-lock']
  await promisify(execFile)('npm', ['install', `${name}@${release}`, ...flags])
  return join(folder, 'node_modules', name, 'bin')
}
