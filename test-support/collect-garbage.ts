import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Collects at once what nobody can reach any more. */
export function collectGarbage(): void {
  collect ??= exposeCollector()
  collect()
}

let collect: (() => void) | undefined

function exposeCollector(): () => void {
  setFlagsFromString('--expose_gc')
  return runInNewContext('gc') as () => void
}
