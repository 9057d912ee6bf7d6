// Shows that the bench still works, not what anything costs. How long anything takes must not matter: the limits are
// there only for what never ends.
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { frameworks } from '../../conformance/mounts/adapters.ts'
import { readArguments } from '../src/arguments.ts'
import { runBench } from '../src/bench-run.ts'
import { toChart } from '../src/chart.ts'
import { toGoals } from '../src/goals.ts'
import { driveCalls } from '../src/load/drive-calls.ts'
import { McpClient } from '../src/load/mcp-client.ts'
import { checkAnswer, toCall } from '../src/load/messages.ts'
import { type Report, type Row, toMarkdown } from '../src/report.ts'
import { quantile, summarize } from '../src/statistics.ts'
import { answer } from '../src/targets/floor.ts'
import { findTarget, targets } from '../src/targets/index.ts'
import { readJson } from '../src/targets/node-body.ts'
import { listen } from '../src/targets/running-target.ts'
import type { WorkloadName } from '../src/targets/target.ts'
import { workloadNames } from '../src/workloads/index.ts'

const endlessMs = 600_000

/** A floor, the baseline, this repository and a peer in each workload, as far as it can have them. */
const names =
  'floor,dispatch,dispatch2-modern,ours-node,ours-node-2026,ours-node-resume,ours-node-origin,sdk1-node,sdk1-node-resume,sdk2-handler-2026,tmcp-2026'
const given = readArguments(['--targets', names, '--rounds', '1'])

describe('a tiny run of every workload', () => {
  let report: Report
  beforeAll(async () => {
    report = await runBench(given, { isTiny: true })
  }, endlessMs)

  const rowsOf = (name: WorkloadName) => report.workloads.find((workload) => workload.name === name)?.rows ?? []

  test.for(workloadNames)('%s gets only right answers', (name) => {
    // A wrong or missing answer fails the target that gave it.
    expect(report.workloads.find((workload) => workload.name === name)?.failures).toEqual([])
  })

  test.for(workloadNames)('%s has every figure of every target', (name) => {
    const able = given.targets.filter(({ workloads }) => workloads.includes(name))
    expect(rowsOf(name).map(({ target }) => target)).toEqual(expect.arrayContaining(able.map(({ name }) => name)))
    const columns = report.workloads.find((workload) => workload.name === name)?.columns ?? []
    for (const row of rowsOf(name)) {
      // Nobody waits for its answers.
      const { isInProcess } = findTarget(row.target)
      for (const { key } of isInProcess ? columns.slice(0, 2) : columns)
        expect(row.figures[key]?.median, `${row.target} ${key}`).toEqual(expect.any(Number))
    }
  })

  /** The baseline has neither a log to resume from nor subscriptions. */
  const withBaseline = workloadNames.filter((name) => !['W6', 'W12', 'W12B'].includes(name))
  test.for(withBaseline)('%s compares with dispatch', (name) => {
    const own = rowsOf(name).filter(({ target }) => target === 'ours-node')
    expect(own.length).toBeGreaterThan(0)
    // Of W3 not even the sign is sure: fifty sessions weigh no more than what a collection may find by chance.
    for (const { ratio } of own) expect(ratio?.median).toEqual(expect.any(Number))
  })

  test('is told as tables and a chart', () => {
    const markdown = toMarkdown(report)
    for (const name of workloadNames) expect(markdown).toContain(`## ${name} · `)
    expect(toChart(report)).toMatch(/^<svg[\s\S]*ours-node[\s\S]*<\/svg>$/)
  })
})

// In this process: one for each would take a minute. Those above had processes of their own.
test.for(targets)('$name starts and answers', { timeout: endlessMs }, async (target) => {
  const { url } = await target.start()
  const client = new McpClient({ url, target }, 1)
  const session = await client.open()
  const { headers, body } = client.toEcho(session, 1, 'hello')
  const { text } = await client.send('POST', headers, body)
  checkAnswer(text, 1, 'hello')
  await client.end(session)
  await client.close()
})

const toEcho = (_connection: number, id: number, text: string) => ({ headers: {}, body: toCall(id, 'echo', { text }) })

test('a load lasts until every connection has an answer', async () => {
  const url = await listen(async (request, response) => {
    const message = await readJson(request)
    // Later than any load of the tiny run: a busy machine may leave a server without a turn for this long.
    await sleep(1_500)
    response.end(answer(message))
  })
  const { answers } = await driveCalls({ url, connections: 4, durationMs: 50, toEcho })
  expect(answers).toBeGreaterThanOrEqual(4)
})

test('a load fails with a wrong answer', async () => {
  const url = await listen((_request, response) => void response.end(answer({ id: 0 })))
  await expect(driveCalls({ url, connections: 4, durationMs: 50, toEcho })).rejects.toThrow('Expected the answer to')
})

test('every target can be measured by something', () => {
  for (const target of targets) expect(target.workloads, target.name).not.toEqual([])
})

test('names of targets may end in a star', () => {
  const names = readArguments(['--targets', 'floor*,dispatch']).targets.map(({ name }) => name)
  expect(names).toEqual(['floor', ...frameworks.map(({ name }) => `floor-${name}`), 'dispatch'])
})

test('an unknown target or workload is named', () => {
  expect(() => readArguments(['--targets', 'flor'])).toThrow('got "flor"')
  expect(() => readArguments(['--workloads', 'W0'])).toThrow('got "W0"')
})

test('a quantile lies between the two nearest ranks', () => {
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5)
  expect(summarize([4, 1, 3, 2])).toEqual({ median: 2.5, low: 1, high: 4, spread: 0.6, count: 4 })
})

test('the goal beside SDK 1.x takes its faster mode', () => {
  const toRow = (target: string, perSecond: number): Row => ({
    case: '64 × 64',
    target,
    figures: { perSecond: summarize([perSecond]) },
    ratio: undefined,
  })
  const rows = [
    toRow('ours-fastify', 900),
    toRow('sdk1-fastify', 100),
    toRow('sdk1-fastify-json', 300),
    toRow('ours-hono', 900),
  ]
  const workload = { name: 'W1', title: '', columns: [], ratioOf: { key: 'cpuUs', of: 'cost' }, rows } as const
  const goals = toGoals({ workloads: [{ ...workload, failures: [], slices: [] }] })
  expect(goals.map(({ target, value }) => [target, value])).toEqual([['ours-fastify', 3]])
})
