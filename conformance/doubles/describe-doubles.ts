import { beforeAll, describe, expect, test } from 'vitest'
import type { Target } from '../src/client/target.ts'
import { requirements } from '../src/requirements/index.ts'
import { type Double, doubles } from './doubles.ts'
import { isNear, judge, laborious, probeFor, sectionOf } from './judge.ts'

/**
 * Of each section something quick. Each double is held against its own check, but for those that take half a minute and
 * more; with `DOUBLES=more` also those, and each against the rest of its section and these, except what is laborious or
 * measures time. `doubles/full-matrix.ts` holds every double against
 * every check.
 */
export const quick: ReadonlySet<string> = new Set([
  'endpoint/header-names-are-case-insensitive',
  'origin/foreign-origin-cannot-post',
  'origin/own-origin-is-accepted',
  'post/accept-weights-and-parameters-are-parsed',
  'post/other-content-type-is-refused',
  'post/body-must-be-a-message',
  'notification/unacceptable-is-an-http-error',
  'response/duplicate-is-ignored',
  'answer/id-equals-the-requests-id',
  'answer/malformed-meta-is-answered',
  'post-stream/begins-with-a-priming-event',
  'get-stream/carries-pushed-messages',
  'connections/second-get-is-accepted',
  'resume/replay-keeps-the-order',
  'session/ended-is-404-on-everything-else',
  'version/invalid-is-400-on-request',
  'lifecycle/supported-version-is-echoed',
  'progress/keeps-the-tokens-type',
  'cancel/of-nothing-is-ignored',
  'sse/is-neither-cached-nor-buffered',
  'limits/gzip-is-decoded-or-415',
  'modern/method-header-must-match',
  'listen/acknowledgement-comes-first',
  '2025-03-26/batch-is-answered',
  '2025-06-18/invalid-version-is-400',
])

/** Those whose doubles take as long as all others together. */
export const streamSections: ReadonlySet<string> = new Set([
  'post-stream',
  'get-stream',
  'connections',
  'resume',
  'ping',
  'progress',
  'cancel',
  'sse',
  'limits',
])

/** Those of the half that speaks 2026-07-28. */
export const modernSections: ReadonlySet<string> = new Set(['modern', 'modern-only', 'listen', 'input'])

/** One test for each double of some sections. */
export function describeDoubles(isMeant: (section: string) => boolean): void {
  const isMore = process.env.DOUBLES === 'more'
  describe(isMore ? 'each double fails its own check and no other' : 'each double fails its own check', () => {
    const slow = new Set(requirements.filter((requirement) => requirement.slow).map(({ id }) => id))
    const isNow = (id: string): boolean => isMore || !slow.has(id)
    const meant = doubles.filter(({ requirement }) => isMeant(sectionOf(requirement)) && isNow(requirement))
    let targetFor: (double: Double) => Target

    beforeAll(async () => {
      targetFor = await probeFor(meant)
    })

    for (const double of meant) {
      const checks = requirements.filter(({ id, alone, slow }) => {
        if (id === double.requirement) return true
        const isChosen = isMore && (isNear(id, double) || quick.has(id))
        return isChosen && !alone && !slow && !laborious.has(id) && double.spoilsAll === undefined
      })
      test.concurrent(`${double.requirement}: ${double.defect}`, { timeout: 120_000 }, async () => {
        expect(await judge(double, checks, targetFor(double))).toEqual([])
      })
    }
  })
}
