import { describe, expect, test } from 'vitest'
import { describeDoubles, quick, streamSections } from '../doubles/describe-doubles.ts'
import { doubles } from '../doubles/doubles.ts'
import { laborious } from '../doubles/judge.ts'
import { startReferenceServer } from '../doubles/reference-server.ts'
import { requirements } from '../src/requirements/index.ts'
import { runRequirements } from '../src/runner.ts'

describe('the reference server', () => {
  test('meets every requirement', { timeout: 60_000 }, async () => {
    const server = await startReferenceServer()
    const results = await runRequirements({ url: server.url })
    await server.close()
    const unmet = results.filter(({ verdict }) => verdict !== 'pass')
    expect(unmet.map(({ id, verdict, message }) => `${verdict} ${id}: ${message}`)).toEqual([])
    expect(results.length).toBe(requirements.length)
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

describeDoubles((section) => !streamSections.has(section))
