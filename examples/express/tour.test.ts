import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const tour = fileURLToPath(new URL('tour.ts', import.meta.url))
const hasShell = spawnSync('bash', ['-c', 'command -v curl tee grep tr'], { stdio: 'ignore' }).status === 0

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function start(...args: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', tour, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  const output = { text: '' }
  let onPrinted: () => void = () => undefined
  const grow = (chunk: Buffer) => {
    output.text += chunk
    onPrinted()
  }
  child.stdout.on('data', grow)
  child.stderr.on('data', grow)
  const printed = (text: string) =>
    new Promise<void>((resolve, reject) => {
      child.once('close', () => reject(new Error(`The tour ended early:\n${output.text}`)))
      onPrinted = () => {
        if (output.text.includes(text)) resolve()
      }
      onPrinted()
    })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return { child, output, printed, ended }
}

describe('the tour', () => {
  it('holds in every step, also when its sockets are cut, and exits 0', { timeout: 60_000 }, async () => {
    const { ended, output } = start('--once', '--port', '0')
    expect(await ended, output.text).toBe(0)
    const marks = output.text.match(/^[✓✗] \w+/gm)
    expect(marks, output.text).toEqual(
      ['connect', 'list', 'call', 'progress', 'ask', 'cut', 'end'].map((name) => `✓ ${name}`),
    )
  })

  it('holds on a SQLite file, when the server is killed in the middle of a call', { timeout: 60_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'throughline-tour-'))
    const { ended, output } = start('--once', '--port', '0', '--backplane', `sqlite:${join(folder, 'mcp.db')}`)
    expect(await ended, output.text).toBe(0)
    await rm(folder, { recursive: true, force: true })
    const marks = output.text.match(/^[✓✗] \w+/gm)
    expect(marks, output.text).toEqual(
      ['connect', 'list', 'call', 'progress', 'ask', 'cut', 'kill', 'end'].map((name) => `✓ ${name}`),
    )
    expect(output.text).toContain('The server that ran this call ended before its answer')
  })

  it('says what is wrong with the file, and exits 1', async () => {
    const { ended, output } = start('--once', '--port', '0', '--backplane', 'sqlite:/no/such/folder/mcp.db')
    expect(await ended).toBe(1)
    expect(output.text).toContain('there is no folder /no/such/folder')
  })

  it.skipIf(!hasShell)('prints curl lines that work when pasted', { timeout: 60_000 }, async () => {
    const { child, ended, output, printed } = start('--port', '0')
    await printed('-X DELETE')
    const pasted = output.text.match(/^(SESSION=|curl ).+$/gm)?.join('\n') ?? ''
    // Through a pipe: /dev/stderr cannot be opened when it is a socket, as it is for a child of Node.
    const shown = await new Promise<string>((resolve, reject) =>
      execFile('bash', ['-c', `{ ${pasted}\n} 2>&1 | cat`], (error, stdout) =>
        error ? reject(error) : resolve(stdout),
      ),
    )
    expect(shown).toMatch(/^mcp-session-id: \S+/im)
    expect(shown).toContain('"protocolVersion":"2025-11-25"')
    expect(shown).toContain('"name":"report"')
    expect(shown).toContain('Lisbon: 14 °C, rain')
    expect(shown).toContain('"progress":5')
    expect(shown).toContain('report of 5 steps')
    expect(shown).not.toContain('"error"')
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  })

  it('answers an unknown flag with its usage and exit code 2', async () => {
    const { ended, output } = start('--onec')
    expect(await ended).toBe(2)
    expect(output.text).toContain('Usage: pnpm start')
  })

  it('says that the port is taken and exits 1', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { ended, output } = start('--once', '--port', String(port))
    expect(await ended).toBe(1)
    expect(output.text).toContain(`Cannot listen on 127.0.0.1:${port}: it is taken`)
    other.close()
  })
})
