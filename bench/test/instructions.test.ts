import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { buildServer } from '../src/build-server.ts'
import { readCount } from '../src/instructions/count.ts'
import { type Settings, works } from '../src/instructions/settings.ts'

const run = promisify(execFile)

test('all that is counted gets right answers', async () => {
  const { entry, remove } = await buildServer(
    'instructions/work.ts',
    fileURLToPath(new URL('../../packages/core/src', import.meta.url)),
  )
  onTestFinished(remove)
  for (const work of works)
    for (const response of ['auto', 'sse'] as const) {
      const settings: Settings = { work, response, times: 3 }
      expect(await run(process.execPath, [entry, JSON.stringify(settings)])).toEqual({ stdout: '', stderr: '' })
    }
})

test('the count is read from what cachegrind says', () => {
  expect(readCount('==10960== \n==10960== I   refs:      5,302,303,423\n')).toBe(5_302_303_423)
  expect(readCount('valgrind: node: command not found\n')).toBeUndefined()
})
