import { readlinkSync } from 'node:fs'

/** Where process ids mean what they mean here. Empty where the system does not say. */
const namespace = findNamespace()

function findNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    // No Linux.
    return ''
  }
}

export const ownProcess = `${namespace} ${process.pid}`

/** Whether a process is known to have ended, by what was its `ownProcess`: one in another container may not be seen. */
export function hasEnded(other: string): boolean {
  const [where, id] = other.split(' ')
  if (where !== namespace || namespace === '') return false
  try {
    process.kill(Number(id), 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
