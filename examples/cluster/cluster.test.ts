import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { leftOut, nginxInstalled } from '../../test-support/nginx/start-nginx.ts'
import { skipsRedis } from '../../test-support/redis/start-redis.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = fileURLToPath(new URL('cluster.ts', import.meta.url))
if (!nginxInstalled) console.warn(leftOut)

async function run(args: readonly string[], env = process.env): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...args], { cwd: root, env, stdio: 'pipe' })
  // It ends what it has started.
  onTestFinished(() => void child.kill('SIGTERM'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk))
  const [code] = await once(child, 'close')
  return { code, output }
}

describe('the cluster', () => {
  it.skipIf(skipsRedis() || !nginxInstalled)(
    'answers every call while nodes are killed',
    { timeout: 60_000 },
    async () => {
      const { code, output } = await run(['--minutes', '0.1'])
      expect(code, output).toBe(0)
      expect(output).toContain('node 1 was killed')
      expect(output).toMatch(/^calls +[1-9]/m)
      expect(output).toMatch(/^events lost +0$/m)
      expect(output).toMatch(/^events doubled +0$/m)
    },
  )

  it('says how to get a program that is missing, and exits 1', async () => {
    const { code, output } = await run([], { ...process.env, PATH: '/nowhere' })
    expect(code).toBe(1)
    expect(output).toBe(
      'redis-server is not installed: get it with "apt-get install redis-server" or "brew install redis".\n',
    )
  })

  it('answers an unknown flag with its usage and exit code 2', async () => {
    const { code, output } = await run(['--hours', '1'])
    expect(code).toBe(2)
    expect(output).toContain('Usage: pnpm start:cluster')
  })
})
