import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { findFreePort } from '../free-port.ts'
import { sleep } from '../waiting.ts'

export const nginxInstalled = isInstalled()

export const leftOut =
  'LEFT OUT: the tests through a real nginx, because nginx is not installed (apt-get install nginx-light)'

export interface Nginx {
  readonly port: number
  readonly folder: string
}

/** What stands in `http { … }`, for a free port and a folder of its own. */
export type HttpBlock = (place: Nginx) => string

/** nginx in the foreground, on a free port of loopback; ended with the test, by its process id. */
export async function startNginx(toHttpBlock: HttpBlock): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'throughline-nginx-'))
  const nginx = { port: await findFreePort(), folder }
  await writeFile(join(folder, 'nginx.conf'), toConfiguration(folder, toHttpBlock(nginx)))
  const child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')], {
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  onTestFinished(() => end(child, folder))
  await untilListening(nginx.port, child)
  return nginx
}

function isInstalled(): boolean {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}

function toConfiguration(folder: string, httpBlock: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
    daemon off;
    worker_processes 1;
    pid ${folder}/nginx.pid;
    error_log ${folder}/error.log;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 256; }
    http {
      access_log off;
      ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n      ')}
      ${httpBlock}
    }
  `
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  while (child.exitCode === null) {
    const socket = connect({ port, host: '127.0.0.1' })
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    if (connected) return
    await sleep(20)
  }
  throw new Error(`nginx ended with ${child.exitCode}: ${said}`)
}

async function end(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null) {
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    await exited
  }
  await rm(folder, { recursive: true, force: true })
}
