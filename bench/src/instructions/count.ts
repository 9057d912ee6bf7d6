import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Settings } from './settings.ts'

/** Instructions that a run takes, of V8's compilers and collector too, which run on its one thread. */
export async function countInstructions(entry: string, settings: Settings): Promise<number> {
  const counting = ['--tool=cachegrind', '--cache-sim=no', '--cachegrind-out-file=/dev/null']
  // V8 writes code while it runs.
  const node = ['--smc-check=all-non-file', process.execPath, '--single-threaded', entry, JSON.stringify(settings)]
  const child = spawn('valgrind', [...counting, ...node], { stdio: ['ignore', 'inherit', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk
  })
  const [code] = (await once(child, 'close')) as [number | null]
  const count = readCount(said)
  if (code === 0 && count !== undefined) return count
  throw new Error(`Expected valgrind to count instructions, got exit code ${code}: ${said}`)
}

/** Of cachegrind's summary: `==4711== I   refs:      5,302,303,423`. */
export function readCount(said: string): number | undefined {
  const figure = /^==\d+== I +refs: +([\d,]+)$/m.exec(said)?.[1]
  return figure === undefined ? undefined : Number(figure.replaceAll(',', ''))
}
