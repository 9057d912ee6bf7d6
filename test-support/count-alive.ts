import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How many of these can still be reached. */
export async function countAlive(refs: readonly WeakRef<object>[]): Promise<number> {
  setFlagsFromString('--expose_gc')
  const collect = runInNewContext('gc') as () => void
  // What was looked at in this turn is kept until the next.
  await sleep(1)
  collect()
  return refs.filter((ref) => ref.deref() !== undefined).length
}
