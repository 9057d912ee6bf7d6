import { describe, expect, test } from 'vitest'
import { issueTokens } from '../doubles/auth.ts'
import { describeDoubles, modernSections, quick, streamSections } from '../doubles/describe-doubles.ts'
import { doubles } from '../doubles/doubles.ts'
import { laborious } from '../doubles/judge.ts'
import { type ReferenceOptions, startReferenceServer } from '../doubles/reference-server.ts'
import { requirements } from '../src/requirements/index.ts'
import { runConformance } from '../src/run-conformance.ts'

/** No one server can show everything: some requirements are of servers without sessions, or of one revision. */
const kinds: readonly ReferenceOptions[] = [{ auth: true }, { stateless: true }, { modernOnly: true }, { http2: true }]

describe('the reference server', () => {
  const shown = new Set<string>()

  test.each(kinds)('meets every requirement that it can show: %j', { timeout: 90_000 }, async (options) => {
    const server = await startReferenceServer(options)
    const secondUrl = new URL(`${server.url}?node=2`)
    const credentials = options.auth ? issueTokens() : {}
    const { results } = await runConformance({ url: server.url, abuse: true, secondUrl, credentials })
    await server.close()
    expect(results.length).toBe(requirements.length)
    const unmet = results.filter(({ verdict }) => !['pass', 'not-testable', 'not-run'].includes(verdict))
    expect(unmet.map(({ id, verdict, message }) => `${verdict} ${id}: ${message}`)).toEqual([])
    for (const { id, verdict } of results) if (verdict === 'pass') shown.add(id)
  })

  test('shows every requirement as one kind or another', () => {
    const quickly = requirements.filter(({ slow }) => !slow).map(({ id }) => id)
    // Its events always have ids.
    expect(quickly.filter((id) => !shown.has(id))).toEqual(['resume/event-id-without-a-store-does-no-harm'])
  })
})

describe('the table of doubles', () => {
  test('has one double for each requirement', () => {
    expect(doubles.map(({ requirement }) => requirement).toSorted()).toEqual(
      requirements.map(({ id }) => id).toSorted(),
    )
  })

  test('names no defect twice', () => {
    expect(new Set(doubles.map(({ defect }) => defect)).size).toBe(doubles.length)
  })

  test('names only requirements that there are', () => {
    const ids = new Set(requirements.map(({ id }) => id))
    const named = [...quick, ...laborious, ...doubles.flatMap(({ alsoFails }) => Object.keys(alsoFails))]
    expect(named.filter((id) => !ids.has(id))).toEqual([])
  })
})

describeDoubles((section) => !streamSections.has(section) && !modernSections.has(section))
