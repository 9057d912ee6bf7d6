// Runs tests on other releases of Node, which npm carries: `tsx scripts/node-versions.ts 22 24 26`. Core and adapters, then
// the conformance suite on every mount. `--short` runs core and adapters of each, and one mount.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { installNode } from './install-node.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values, positionals } = parseArgs({ allowPositionals: true, options: { short: { type: 'boolean' } } })
const releases = positionals.length > 0 ? positionals : ['20', '22', '24', '26']

const adapters = ['express', 'fastify', 'koa', 'hono'].map((name) => `packages/${name}/test`)
const mounts = values.short ? ['conformance/test/mounts/node.test.ts'] : ['conformance/test/mounts']

async function test(bin: string): Promise<boolean> {
  const node = join(bin, 'node')
  const { stdout } = await promisify(execFile)(node, ['--version'])
  const paths = ['packages/core/test', ...adapters, ...mounts]
  console.log(`\n==> Node ${stdout.trim()}: ${paths.join(' ')}`)
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const child = spawn(node, [vitest, 'run', '--maxWorkers', '3', ...paths], { cwd: root, env, stdio: 'inherit' })
  const [code] = await once(child, 'close')
  return code === 0
}

const failed: string[] = []
for (const release of releases) if (!(await test(await installNode(release)))) failed.push(release)
console.log(failed.length === 0 ? `✓ Node ${releases.join(', ')}` : `✗ Node ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
