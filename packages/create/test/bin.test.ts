import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const program = fileURLToPath(new URL('../src/bin.ts', import.meta.url))
const tsx = import.meta.resolve('tsx')

/** What the program prints and makes, run in an empty folder by nobody who could be asked. */
async function run(...args: string[]) {
  const cwd = await mkdtemp(join(tmpdir(), 'create-mcp-http-'))
  onTestFinished(() => rm(cwd, { recursive: true, force: true }))
  const child = spawn(process.execPath, ['--import', tsx, program, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
  }
  const code = await new Promise((resolve) => child.once('close', resolve))
  return { code, printed, made: await readdir(cwd) }
}

test('makes the folder and says what to do there', async () => {
  const { code, printed, made } = await run('my-server', '--template', 'express')
  expect([code, made]).toEqual([0, ['my-server']])
  expect(printed).toContain('cd my-server && npm install && npm run dev')
})

test('refuses more than one folder, and makes none', async () => {
  const { code, printed, made } = await run('Bad', 'Name', '--template', 'express')
  expect([code, made]).toEqual([1, []])
  expect(printed).toContain('Expected one FOLDER, got 2: Bad, Name. One with spaces in its name is put in quotes')
})

test('quotes a folder that a shell would take for two words', async () => {
  const { code, printed, made } = await run('Bad Name', '--template', 'express')
  expect([code, made]).toEqual([0, ['Bad Name']])
  expect(printed).toMatch(/cd (['"])Bad Name\1 && npm install/)
})
