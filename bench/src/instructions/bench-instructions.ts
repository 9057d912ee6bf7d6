/**
 * How many instructions the server takes, beside another commit of it: the same on a busy machine as on a quiet one.
 * `pnpm bench:instructions [--against COMMIT] [--work calls,sessions] [--response auto,sse]`
 */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type BuiltServer, buildServer } from '../build-server.ts'
import { countInstructions } from './count.ts'
import { counts, type Settings, type Work, works } from './settings.ts'

const { values } = parseArgs({
  options: {
    against: { type: 'string' },
    work: { type: 'string', default: works.join() },
    response: { type: 'string', default: 'auto,sse' },
  },
})

const root = fileURLToPath(new URL('../../..', import.meta.url))

function readChosen<T extends string>(name: string, given: string, known: readonly T[]): readonly T[] {
  const chosen = given.split(',')
  const unknown = chosen.find((one) => !known.includes(one as T))
  if (unknown !== undefined) {
    console.error(`Expected --${name} to be some of ${known.join()}, got "${unknown}"`)
    process.exit(2)
  }
  return chosen as T[]
}

/** The sources of the core as they were in `commit`, in `folder`. */
function unpack(commit: string, folder: string): string {
  const archive = spawnSync('git', ['archive', commit, 'packages/core/src'], { cwd: root, maxBuffer: 100_000_000 })
  const unpacked = archive.status === 0 && spawnSync('tar', ['x', '-C', folder], { input: archive.stdout })
  if (unpacked && unpacked.status === 0) return join(folder, 'packages/core/src')
  console.error(`Expected --against to be a commit with packages/core/src, got "${commit}": ${archive.stderr}`)
  process.exit(2)
}

const chosenWorks = readChosen('work', values.work, works)
const responses = readChosen('response', values.response, ['auto', 'sse', 'json'])
if (spawnSync('valgrind', ['--version']).status !== 0) {
  console.error('valgrind is not installed: get it with "apt-get install valgrind".')
  process.exit(2)
}

const entries: BuiltServer[] = []
const folder = await mkdtemp(join(tmpdir(), 'instructions-'))
try {
  const core = join(root, 'packages/core/src')
  const sources = values.against === undefined ? [core] : [core, unpack(values.against, folder)]
  for (const source of sources) entries.push(await buildServer('instructions/work.ts', source))
  const names = ['here', ...(values.against === undefined ? [] : [values.against, 'here ÷ that'])]
  console.log(`| instructions, in thousands, the client's too | ${names.join(' | ')} |`)
  console.log(`| --- |${' ---: |'.repeat(names.length)}`)
  for (const work of chosenWorks) {
    for (const response of responses) {
      const measured = await Promise.all(entries.map(({ entry }) => perPiece(entry, work, response)))
      const [here = 0, that] = measured
      const figures = measured.map((count) => Math.round(count / 1_000).toLocaleString('en'))
      if (that !== undefined) figures.push((here / that).toFixed(3))
      console.log(`| one of ${work}, response: '${response}' | ${figures.join(' | ')} |`)
    }
  }
} finally {
  for (const { remove } of entries) await remove()
  await rm(folder, { recursive: true, force: true })
}

/** What one more of them takes. */
async function perPiece(entry: string, work: Work, response: Settings['response']): Promise<number> {
  const [few, many] = counts[work]
  const ofFew = await countInstructions(entry, { work, response, times: few })
  const ofMany = await countInstructions(entry, { work, response, times: many })
  return (ofMany - ofFew) / (many - few)
}
