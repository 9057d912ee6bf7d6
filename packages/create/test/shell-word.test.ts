import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { toShellWord } from '../src/shell-word.ts'

const folders = ['my-server', '../a/b_c.1', 'Bad Name', "it's", 'a"b', '$HOME', 'a;b', 'a&&b', '*', '~', 'a\\b', 'né']

test.skipIf(process.platform === 'win32').each(folders)('a shell reads %s as it is', async (folder) => {
  const { stdout } = await promisify(execFile)('sh', ['-c', `printf %s ${toShellWord(folder, 'linux')}`])
  expect(stdout).toBe(folder)
})

test('quotes nothing that needs none', () => {
  for (const folder of ['my-server', '../a/b_c.1', 'né']) expect(toShellWord(folder, 'linux')).toBe(folder)
  expect(toShellWord('a\\b', 'win32')).toBe('a\\b')
})

test('quotes for Windows as both of its shells read it', () => {
  expect(toShellWord('Bad Name', 'win32')).toBe('"Bad Name"')
  expect(toShellWord("it's", 'win32')).toBe('"it\'s"')
})
