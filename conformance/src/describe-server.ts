import { afterAll, beforeAll, describe, test } from 'vitest'
import { isUnmet } from './baseline.ts'
import { createDiagnosis } from './causes.ts'
import { probeTarget } from './client/find-target.ts'
import type { ProbeOptions, Target } from './client/target.ts'
import { type Exclusion, whySkipped } from './exclusion.ts'
import type { Result } from './report.ts'
import { toCauseText } from './reporters/grouped.ts'
import type { Level } from './requirement.ts'
import { requirements } from './requirements/index.ts'
import { checkRequirement, checkTimeoutMs, selectRequirements } from './runner.ts'

const failingLevels: readonly Level[] = ['MUST', 'MUST NOT', 'RFC-MUST', 'dMUST']

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

/**
 * Makes one vitest test of each requirement, for every way to serve the server.
 * ```ts
 * describeServer('my server', {
 *   'on node:http': { start: () => listen(createApp()) },
 *   'behind a body parser': { start: () => listen(createApp({ parser: true })) },
 * })
 * ```
 */
export function describeServer(name: string, mounts: Readonly<Record<string, ServerMount>>): void {
  for (const [way, mount] of Object.entries(mounts)) {
    const described = `${name} ${way}`
    describe(described, () => describeMount(described, mount))
  }
}

function describeMount(name: string, mount: ServerMount): void {
  const { exclude = [], strict = false, abuse = false, slow = false, levels = failingLevels } = mount
  const noted: string[] = []
  let server: RunningServer | undefined
  let target: Target | undefined

  beforeAll(async () => {
    server = await mount.start()
    const { url, secondUrl } = server
    target = await probeTarget(
      new URL(url),
      secondUrl === undefined ? mount : { ...mount, secondUrl: new URL(secondUrl) },
    )
  })
  afterAll(() => server?.close())
  afterAll(() => tellNoted(name, noted))

  // Throws for an exclusion of what is no requirement.
  const excluded = exclude.map(({ id, reason }) => ({ reason, ids: selectRequirements([id]).map((each) => each.id) }))
  for (const requirement of requirements) {
    if ((requirement.abuse && !abuse) || (requirement.slow && !slow)) continue
    const run = requirement.alone ? test : test.concurrent
    const timeout = 10_000 + (requirement.slow ? checkTimeoutMs.slow : checkTimeoutMs.other)
    run(requirement.id, { timeout }, async ({ skip }) => {
      if (target === undefined) throw new Error('The server did not start')
      const result = await checkRequirement(requirement, target)
      const excludedFor = excluded.find(({ ids }) => ids.includes(requirement.id))?.reason
      const reason = whySkipped(result, { excludedFor, strict })
      if (reason !== undefined) skip(reason)
      if (result.verdict === 'pass') return
      const isFailing = levels === 'all' || levels.includes(result.level) || !isUnmet(result)
      if (isFailing) throw new Error(explain(result))
      const note = `${result.level}, not met: ${result.message}`
      noted.push(`  ${result.id}: ${note}`)
      skip(note)
    })
  }
}

/** What fails no test is not met all the same, and skipped tests are not looked at. */
function tellNoted(name: string, noted: readonly string[]): void {
  if (noted.length === 0) return
  const more = noted.length === 1 ? '1 more is' : `${noted.length} more are`
  console.warn(`${name}: ${more} not met, at levels that fail no test (see \`levels\`)\n${noted.join('\n')}`)
}

function explain(result: Result): string {
  const { level, title, message, specUrl, transcript, curl } = result
  const change = isUnmet(result) ? `To change: ${toCauseText(createDiagnosis([result])(result), result)}` : ''
  return [`${level}: ${title}`, message, change, specUrl, transcript, curl].filter((part) => part !== '').join('\n')
}
