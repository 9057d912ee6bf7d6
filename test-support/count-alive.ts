import { setTimeout as sleep } from 'node:timers/promises'
import { collectGarbage } from './collect-garbage.ts'

/** How many of these can still be reached. */
export async function countAlive(refs: readonly WeakRef<object>[]): Promise<number> {
  // What was looked at in this turn is kept until the next.
  await sleep(1)
  collectGarbage()
  return refs.filter((ref) => ref.deref() !== undefined).length
}
