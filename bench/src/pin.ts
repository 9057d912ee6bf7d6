import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

/** Whether processes can be pinned here, and there are cores to tell apart. */
export const canPin = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0

export const serverCore = 0

/** Keeps this process, all its threads, off the servers' core. */
export function pinLoadGenerator(): void {
  if (!canPin) return
  const others = `1-${availableParallelism() - 1}`
  const { status, stderr } = spawnSync('taskset', ['-a', '-c', '-p', others, String(process.pid)])
  if (status !== 0) throw new Error(`taskset failed: ${stderr}`)
}

/** A command that runs on the servers' core. */
export function onServerCore(command: string, args: readonly string[]): [string, string[]] {
  return canPin ? ['taskset', ['-c', String(serverCore), command, ...args]] : [command, [...args]]
}
