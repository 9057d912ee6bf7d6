// Programs of the example: each is ended by its process id, at the latest with this process.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readDocumented } from '../../test-support/nginx/documented.ts'

const children = new Set<ChildProcess>()
const folders = new Set<string>()

process.on('exit', () => {
  // nginx would leave its worker behind on SIGKILL.
  for (const child of children) child.kill(child.spawnfile === 'nginx' ? 'SIGTERM' : 'SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

export function isInstalled(program: string): boolean {
  return spawnSync(program, [program === 'nginx' ? '-v' : '--version'], { stdio: 'ignore' }).status === 0
}

/** Starts a program and resolves when it listens. */
async function start(program: string, args: readonly string[], port: number, env = {}): Promise<ChildProcess> {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'] })
  children.add(child)
  child.once('exit', () => children.delete(child))
  while (child.exitCode === null) {
    const socket = connect({ port, host: '127.0.0.1' })
    // A refusal is the answer to the question.
    const isConnected = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isConnected) return child
    await sleep(20)
  }
  throw new Error(`${program} ended with ${child.exitCode} before it listened on port ${port}`)
}

/** A port of loopback on which nothing listens. */
async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'throughline-cluster-'))
  folders.add(folder)
  return folder
}

/** A Redis that keeps nothing on disk, and refuses new sessions when it is full, rather than to drop those in use. */
export async function startRedis(): Promise<string> {
  const [port, folder] = [await findFreePort(), await makeFolder()]
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder]
  const settings = ['--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction', '--loglevel', 'warning']
  await start('redis-server', [...place, ...settings], port)
  return `redis://127.0.0.1:${port}`
}

/** A node of the cluster: always on the same port, in one process after the other. */
export class Node {
  readonly name: string
  readonly port: number
  readonly #redisUrl: string
  #process: ChildProcess | undefined

  private constructor(name: string, port: number, redisUrl: string) {
    this.name = name
    this.port = port
    this.#redisUrl = redisUrl
  }

  static async start(name: string, redisUrl: string): Promise<Node> {
    const node = new Node(name, await findFreePort(), redisUrl)
    await node.start()
    return node
  }

  async start(): Promise<void> {
    const program = fileURLToPath(new URL('node.ts', import.meta.url))
    const env = { PORT: String(this.port), REDIS_URL: this.#redisUrl }
    this.#process = await start(process.execPath, ['--import', 'tsx', program], this.port, env)
  }

  /** With SIGKILL without a goodbye, as when a machine loses its power; with SIGTERM as in a deploy. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }
}

/** nginx, which sends each request to the next node, with what docs/deployment.md asks for. */
export async function startNginx(nodes: readonly Node[]): Promise<string> {
  const [port, folder] = [await findFreePort(), await makeFolder()]
  const lines = await readDocumented()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const configuration = `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  upstream mcp {
    ${nodes.map((node) => `server 127.0.0.1:${node.port} max_fails=0;`).join('\n    ')}
  }
  server {
    listen 127.0.0.1:${port};
    location /mcp {
      proxy_pass http://mcp;
      ${lines.join('\n      ')}
    }
  }
}
`
  const file = join(folder, 'nginx.conf')
  await writeFile(file, configuration)
  await start('nginx', ['-p', folder, '-c', file, '-e', join(folder, 'error.log')], port)
  return `http://127.0.0.1:${port}/mcp`
}
