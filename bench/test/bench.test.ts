// Every workload, as small as it gets: shows that the bench still works, not what anything costs.
import { beforeAll, describe, expect, test } from 'vitest'
import { readArguments } from '../src/arguments.ts'
import { runBench } from '../src/bench-run.ts'
import { toChart } from '../src/chart.ts'
import { type Report, toMarkdown } from '../src/report.ts'
import { quantile, summarize } from '../src/statistics.ts'
import { targets, type WorkloadName } from '../src/targets/index.ts'
import { workloadNames } from '../src/workloads/index.ts'

/** W6 has targets of its own; nothing but ours and its peer can resume. */
const given = readArguments(['--targets', 'dispatch,ours-node,ours-node-resume', '--rounds', '1'])

describe('a tiny run of every workload', () => {
  let report: Report
  beforeAll(async () => {
    report = await runBench(given, { isTiny: true })
  }, 60_000)

  const rowsOf = (name: WorkloadName) => report.workloads.find((workload) => workload.name === name)?.rows ?? []

  test.for(workloadNames)('%s gets only right answers', (name) => {
    // A wrong or missing answer fails the target that gave it.
    expect(report.workloads.find((workload) => workload.name === name)?.failures).toEqual([])
  })

  test.for(workloadNames)('%s has every figure of every target', (name) => {
    const columns = report.workloads.find((workload) => workload.name === name)?.columns ?? []
    expect(rowsOf(name).length).toBeGreaterThan(0)
    for (const row of rowsOf(name)) {
      for (const { key } of columns)
        expect(row.figures[key]?.median, `${row.target} ${key}`).toEqual(expect.any(Number))
    }
  })

  test.for(workloadNames.filter((name) => name !== 'W6'))('%s compares with dispatch', (name) => {
    const own = rowsOf(name).filter(({ target }) => target === 'ours-node')
    expect(own.length).toBeGreaterThan(0)
    for (const { ratio } of own) expect(ratio?.median).toBeGreaterThan(0)
  })

  test('is told as tables and a chart', () => {
    const markdown = toMarkdown(report)
    for (const name of workloadNames) expect(markdown).toContain(`## ${name} · `)
    expect(toChart(report)).toMatch(/^<svg[\s\S]*ours-node[\s\S]*<\/svg>$/)
  })
})

test('every target can be measured by something', () => {
  for (const target of targets) expect(target.workloads, target.name).not.toEqual([])
})

test('names of targets may end in a star', () => {
  const names = readArguments(['--targets', 'floor*,dispatch']).targets.map(({ name }) => name)
  expect(names).toEqual(['floor', 'floor-express', 'floor-fastify', 'floor-koa', 'floor-hono', 'dispatch'])
})

test('an unknown target or workload is named', () => {
  expect(() => readArguments(['--targets', 'flor'])).toThrow('got "flor"')
  expect(() => readArguments(['--workloads', 'W0'])).toThrow('got "W0"')
})

test('a quantile lies between the two nearest ranks', () => {
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5)
  expect(summarize([4, 1, 3, 2])).toEqual({ median: 2.5, low: 1, high: 4, spread: 0.6, count: 4 })
})
