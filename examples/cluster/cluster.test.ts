import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { leftOut, nginxInstalled } from '../../test-support/nginx/start-nginx.ts'
import { skipsRedis } from '../../test-support/redis/start-redis.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = fileURLToPath(new URL('cluster.ts', import.meta.url))
if (!nginxInstalled) console.warn(leftOut)

interface Outcome {
  readonly code: number | null
  readonly output: string
}

async function run(
  args: readonly string[],
  env = process.env,
  hear: (output: string) => void = () => undefined,
): Promise<Outcome> {
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...args], { cwd: root, env, stdio: 'pipe' })
  // It ends what it has started.
  onTestFinished(() => void child.kill('SIGTERM'))
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk
      hear(output)
    })
  const [code] = await once(child, 'close')
  return { code, output }
}

/** On how many nodes the inspector shows sessions, up to 2: which node opens one is nginx's choice. */
async function countNodes(page: string): Promise<number> {
  const nodes = new Set<string>()
  for (let tries = 0; tries < 40 && nodes.size < 2; tries++) {
    await sleep(100)
    // The node that is asked may be one that was killed.
    const reply = await fetch(`${page}?view`).catch(() => undefined)
    const { rows } = ((await reply?.json()) ?? { rows: [] }) as { rows: { node?: string }[] }
    for (const { node } of rows) if (node) nodes.add(node)
  }
  return nodes.size
}

describe('the cluster', () => {
  it.skipIf(skipsRedis() || !nginxInstalled)(
    'answers every call while nodes are killed',
    { timeout: 60_000 },
    async () => {
      let shown: Promise<number> | undefined
      const { code, output } = await run(['--minutes', '0.1'], process.env, (printed) => {
        const page = /http:\S+\/inspector/.exec(printed)?.[0]
        if (page) shown ??= countNodes(page)
      })
      expect(code, output).toBe(0)
      expect(output).toContain('node 1 was killed')
      expect(output).toMatch(/^calls +[1-9]/m)
      expect(output).toMatch(/^events lost +0$/m)
      expect(output).toMatch(/^events doubled +0$/m)
      expect(await shown, 'nodes that the inspector of one shows').toBeGreaterThan(1)
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
