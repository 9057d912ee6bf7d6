import { spawnSync } from 'node:child_process'

/** Those that this process may use, as it was at first: once it is pinned it is told of fewer. */
const cores = readCores()

/** Whether processes can be pinned here, and there are cores to tell apart. */
export const canPin = cores.length > 1

/** Keeps this process, all its threads, off the servers' core. */
export function pinLoadGenerator(): void {
  if (canPin) pin(process.pid, cores.slice(1).join())
}

function pin(pid: number, to: string): void {
  const { status, stderr } = spawnSync('taskset', ['-a', '-c', '-p', to, String(pid)])
  if (status !== 0) throw new Error(`taskset failed: ${stderr}`)
}

/** Puts a process that runs already, all its threads, on the servers' core. */
export function moveToServerCore(pid: number): void {
  if (canPin) pin(pid, String(cores[0]))
}

/** A command that runs on the servers' core. */
export function onServerCore(command: string, args: readonly string[]): [string, string[]] {
  return canPin ? ['taskset', ['-c', String(cores[0]), command, ...args]] : [command, [...args]]
}

/** None without `taskset`. Containers may have others than 0 and up. */
function readCores(): number[] {
  const { status, stdout } = spawnSync('taskset', ['-c', '-p', String(process.pid)], { encoding: 'utf8' })
  if (status !== 0) return []
  // pid 4711's current affinity list: 0-2,5
  const ranges = stdout.slice(stdout.lastIndexOf(':') + 1).split(',')
  return ranges.flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, index) => from + index)
  })
}
