import { canPin } from '../pin.ts'

/**
 * Keeps this process from sleeping until its sockets have something, while `work` runs. Who writes to a process that
 * sleeps pays for waking it, in a virtual machine as much as for the whole write; and the slower a server is, the more
 * often its clients sleep, so that it would pay twice. Not on a core that the servers need.
 */
export async function stayAwake<T>(work: () => Promise<T>): Promise<T> {
  if (!canPin) return work()
  let next = setImmediate(again)
  function again(): void {
    next = setImmediate(again)
  }
  try {
    return await work()
  } finally {
    clearImmediate(next)
  }
}
