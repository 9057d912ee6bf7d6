/**
 * Records what the checks of the conformance suite receive from every mount of the fixture, so that a change which is to
 * change nothing can be shown to be equal on the wire: record before, record after, compare.
 *
 * A recording has the verdict of each check, and the status, headers, body and events of each answer, in the order of the
 * requests. Ids, times and what is random are masked; `unstable-answers.ts` lists where less is kept, and why.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { compareRecordings, type Recording } from './compare-answers.ts'
import { recordedMounts, recordMount } from './record-mount.ts'

const usage = `Usage: pnpm record:answers FILE [--mount NAME]
       pnpm record:answers --compare BEFORE AFTER [--mount NAME]

--mount  only mounts in whose names this is: "koa", "node, response: auto". What FILE has of others stays`

interface Options {
  readonly isComparison: boolean
  readonly files: readonly string[]
  readonly mount: string
}

function readOptions(): Options {
  const options = { compare: { type: 'boolean' }, mount: { type: 'string' } } as const
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const { compare: isComparison = false, mount = '' } = values
  const wanted = isComparison ? 2 : 1
  if (positionals.length !== wanted) throw new TypeError(`Expected ${wanted} files, got ${positionals.length}`)
  if (recordedMounts.some(({ name }) => name.includes(mount))) return { isComparison, files: positionals, mount }
  throw new TypeError(`Expected --mount to be in one of ${recordedMounts.map(({ name }) => name).join('; ')}`)
}

function readOptionsOrExit(): Options {
  try {
    return readOptions()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error(usage)
    process.exit(2)
  }
}

async function record(file: string, mount: string): Promise<void> {
  // Frameworks print what the checks provoke.
  console.error = () => undefined
  const recording = mount !== '' && existsSync(file) ? readRecording(file) : {}
  for (const each of recordedMounts.filter(({ name }) => name.includes(mount))) {
    const startedAt = performance.now()
    const checks = await recordMount(each)
    recording[each.name] = checks
    const passed = Object.values(checks).filter(({ verdict }) => verdict === 'pass').length
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
    console.log(`${each.name}: ${passed} of ${Object.keys(checks).length} checks passed (${seconds} s)`)
  }
  writeFileSync(file, `${JSON.stringify(recording, null, 1)}\n`)
}

function readRecording(file: string, mount = ''): Recording {
  const recording = JSON.parse(readFileSync(file, 'utf8')) as Recording
  return Object.fromEntries(Object.entries(recording).filter(([name]) => name.includes(mount)))
}

/** Prints what differs. `true` when nothing does. */
function compare(before: Recording, after: Recording): boolean {
  const differences = compareRecordings(before, after)
  for (const { check, lines } of differences) console.log([check, ...lines.map((line) => `  ${line}`)].join('\n'))
  const count = Object.values(before).reduce((sum, checks) => sum + Object.keys(checks).length, 0)
  console.log(`${differences.length} of ${count} checks on ${Object.keys(before).length} mounts differ`)
  return differences.length === 0
}

async function main({ isComparison, files, mount }: Options): Promise<void> {
  const [first = '', second = ''] = files
  if (!isComparison) return record(first, mount)
  process.exitCode = compare(readRecording(first, mount), readRecording(second, mount)) ? 0 : 1
}

await main(readOptionsOrExit())
