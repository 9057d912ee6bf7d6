import { isObject } from './client/json-rpc.ts'
import type { ProbeOptions } from './client/target.ts'
import { type Exclusion, exclusionsOf } from './exclusion.ts'
import { aBoolean, aFunction, checkOptions, expected, oneOf, option } from './option-checks.ts'
import { probeTable } from './probe-options.ts'
import { type Level, levels } from './requirement.ts'
import { selectRequirements } from './runner.ts'

/** A server under test that is listening. */
export interface RunningServer {
  /** Where the endpoint is. */
  readonly url: string
  /** Another node of the same deployment. */
  readonly secondUrl?: string
  close(): unknown
}

/** One way to serve the server under test, and what is expected of it there. */
export interface ServerMount extends ProbeOptions {
  /** Starts the server, or says where one runs. */
  start(): RunningServer | Promise<RunningServer>
  /**
   * Requirements that it is known not to meet, or cannot show. They are checked all the same: one that passes fails its
   * test, the others are skipped with the reason.
   */
  readonly exclude?: readonly Exclusion[]
  /** `true`: a requirement that cannot be tested, and is not excluded, fails instead of being skipped. @default false */
  readonly strict?: boolean
  /**
   * Levels at which a requirement that is not met fails its test. At others it is skipped with what was found, and named
   * in a warning at the end. `'all'`: each of them fails.
   * @default MUST, MUST NOT, RFC-MUST and dMUST, as in the command
   */
  readonly levels?: readonly Level[] | 'all'
  /** Also what waits for longer than 5 seconds. @default false */
  readonly slow?: boolean
  /** Also what could harm a server that others use: floods, oversize bodies, slow senders. @default false, as in the command */
  readonly abuse?: boolean
}

const failingLevels: readonly Level[] = ['MUST', 'MUST NOT', 'RFC-MUST', 'dMUST']

const mountTable = {
  start: option(undefined, aFunction<ServerMount['start']>()),
  exclude: option(
    [],
    exclusionsOf((id) => selectRequirements([id])),
  ),
  strict: option(false, aBoolean),
  levels: option(failingLevels, toLevels),
  slow: option(false, aBoolean),
  abuse: option(false, aBoolean),
  ...probeTable,
} satisfies Record<keyof ServerMount, unknown>

/** With every default. */
export type CheckedMount = ReturnType<typeof checkMount>

/**
 * Every way to serve a server, by its name.
 * @throws TypeError that says what was expected: a mistake here would leave a server unchecked that nobody looks at.
 */
export function checkMounts(mounts: unknown): [way: string, mount: ServerMount, checked: CheckedMount][] {
  if (!isObject(mounts) || Object.keys(mounts).length === 0) {
    throw expected('the ways to serve the server to be an object of at least one', mounts)
  }
  return Object.entries(mounts).map(([way, mount]) => [way, mount as ServerMount, checkMount(way, mount)])
}

function checkMount(way: string, mount: unknown) {
  if (!isObject(mount)) throw expected(`'${way}' to be an object with start and options`, mount)
  return checkOptions(mountTable, mount)
}

function toLevels(value: unknown, name: string): readonly Level[] | 'all' {
  if (value === 'all') return value
  if (!Array.isArray(value) || value.length === 0) {
    throw expected(`${name} to be an array of at least one level, or 'all'`, value)
  }
  return value.map((level: unknown) => oneOf(...levels)(level, `each of ${name}`))
}
