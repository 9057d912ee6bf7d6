import { afterAll, beforeAll, describe, test } from 'vitest'
import { isUnmet } from './baseline.ts'
import { createDiagnosis } from './causes.ts'
import { probeTarget } from './client/find-target.ts'
import type { Target } from './client/target.ts'
import { whySkipped } from './exclusion.ts'
import { expected } from './option-checks.ts'
import type { Result } from './report.ts'
import { toCauseText } from './reporters/grouped.ts'
import { requirements } from './requirements/index.ts'
import { checkRequirement, checkTimeoutMs, selectRequirements } from './runner.ts'
import { type CheckedMount, checkMounts, type RunningServer, type ServerMount } from './server-mount.ts'

/**
 * Makes one vitest test of each requirement, for every way to serve the server. Throws `TypeError` for an option that is
 * wrong.
 * ```ts
 * describeServer('my server', {
 *   'on node:http': { start: () => listen(createApp()), strict: true },
 *   'behind a body parser': { start: () => listen(createApp({ parser: true })) },
 * })
 * ```
 */
export function describeServer(
  name: string,
  mounts: Readonly<Record<string, ServerMount>>,
  ...misplaced: readonly never[]
): void {
  if (misplaced.length > 0) {
    throw expected('options to stand beside start, in the object of each way to serve the server', misplaced[0])
  }
  for (const [way, mount, checked] of checkMounts(mounts)) {
    const described = `${name} ${way}`
    describe(described, () => describeMount(described, mount, checked))
  }
}

function describeMount(name: string, mount: ServerMount, { exclude, strict, abuse, slow, levels }: CheckedMount): void {
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
