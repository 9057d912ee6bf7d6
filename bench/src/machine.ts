import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { canPin } from './pin.ts'
import type { Target } from './targets/target.ts'

const printVersions = 'JSON.stringify({ version: process.version, v8: process.versions.v8 })'

interface RuntimeVersions {
  readonly version: string
  readonly v8: string
}

export interface Machine {
  readonly node: string
  readonly v8: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly os: string
  /** Of the last 1, 5 and 15 minutes, when the run began: what else the machine did. */
  readonly load: readonly number[]
  readonly pinned: boolean
}

/** `node` is the program that the servers run on. */
export function describeMachine(node = process.execPath): Machine {
  const cores = cpus()
  const { version, v8 } = JSON.parse(execFileSync(node, ['-p', printVersions], { encoding: 'utf8' })) as RuntimeVersions
  return {
    node: version,
    v8,
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryGb: Math.round(totalmem() / 1_073_741_824),
    // What follows is the distribution's own numbering.
    os: `${type()} ${release().split('.', 2).join('.')}`,
    load: loadavg().map((value) => Math.round(value * 100) / 100),
    pinned: canPin,
  }
}

/** Versions of everything that the targets are made of. */
export function readVersions(targets: readonly Target[]): Record<string, string> {
  const names = [...new Set(['autocannon', 'undici', ...targets.flatMap(({ packages }) => packages)])].sort()
  return Object.fromEntries(names.map((name) => [name, readVersion(name)]))
}

/** Not by import: a package need not export its manifest. */
function readVersion(name: string): string {
  const paths = createRequire(import.meta.url).resolve.paths(name) ?? []
  for (const path of paths) {
    try {
      return (JSON.parse(readFileSync(`${path}/${name}/package.json`, 'utf8')) as { version: string }).version
    } catch {
      // It is installed further up.
    }
  }
  return 'unknown'
}
