import { expect, test } from 'vitest'
import { compareWithBaseline, readBaseline } from '../src/baseline.ts'
import { countVerdicts, type Report, type Result, type Verdict } from '../src/report.ts'
import { requirements } from '../src/requirements/index.ts'
import { toResult } from '../src/runner.ts'

const ids = requirements.slice(0, 4).map(({ id }) => id) as [string, string, string, string]

function report(...verdicts: Verdict[]): Report {
  const results = verdicts.map((verdict, index): Result => {
    const requirement = requirements[index]
    if (requirement === undefined) throw new Error('Expected fewer verdicts')
    return toResult(requirement, { verdict, message: verdict === 'pass' ? '' : 'because' })
  })
  return {
    version: 1,
    suite: { name: 'suite', version: '1' },
    target: { url: 'http://127.0.0.1/mcp', server: '', revision: null, revisions: [], offers: [], roles: {} },
    startedAt: new Date(0).toISOString(),
    durationMs: 1,
    incomplete: '',
    counts: countVerdicts(results),
    results,
  }
}

test('reads ids with reasons, lists of ids, and the form of the official suite', () => {
  expect([...readBaseline(`# known\n${ids[0]}: fixed in 2.1\n${ids[1]}:\n`)]).toEqual([
    [ids[0], 'fixed in 2.1'],
    [ids[1], ''],
  ])
  expect([...readBaseline(`- ${ids[0]}`)]).toEqual([[ids[0], '']])
  expect([...readBaseline(`server:\n  - ${ids[2]}`)]).toEqual([[ids[2], '']])
  expect([...readBaseline(JSON.stringify({ [ids[0]]: 'x' }))]).toEqual([[ids[0], 'x']])
  expect([...readBaseline('')]).toEqual([])
})

test.each([
  ['no/such-id: x', /Expected the id of a requirement in the baseline, got "no\/such-id"/],
  ['just text', /Expected the baseline to map ids to reasons, got "just text"/],
  ['{ not: [closed', /Expected the baseline to be YAML or JSON/],
])('refuses %j', (text, message) => {
  expect(() => readBaseline(text)).toThrow(message)
})

test('lets known failures be, and names new ones and stale entries', () => {
  const baseline = new Map([
    [ids[0], 'known'],
    [ids[1], 'was mended'],
  ])
  const { known, stale, failed } = compareWithBaseline(report('fail', 'pass', 'fail', 'warn'), baseline, false)
  expect(known.map(({ id }) => id)).toEqual([ids[0]])
  expect(stale).toEqual([ids[1]])
  expect(failed.map(({ id }) => id)).toEqual([ids[2]])
})

test('strict makes a SHOULD that is not met a failure', () => {
  const strict = compareWithBaseline(report('warn', 'advice', 'info', 'not-testable'), new Map(), true)
  expect(strict.failed.map(({ id }) => id)).toEqual([ids[0]])
})
