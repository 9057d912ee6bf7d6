import { frameworks } from '../../conformance/mounts/adapters.ts'
import type { Report, Row } from './report.ts'

/** A promise of this project about its own figures, and what a run says of it. */
export interface Goal {
  readonly text: string
  readonly target: string
  /** As measured; `undefined` when the run lacks what it takes. */
  readonly value: number | undefined
  readonly limit: number
  readonly direction: 'at most' | 'at least'
  readonly digits: number
}

export function isReached({ value, limit, direction }: Goal): boolean {
  return value !== undefined && (direction === 'at most' ? value <= limit : value >= limit)
}

/** Every goal that the workloads of a run are about. */
export function toGoals({ workloads }: Pick<Report, 'workloads'>): Goal[] {
  const tables = new Map(workloads.map(({ name, rows }) => [name, new Table(rows)] as const))
  const goalsOf = {
    W1: callGoals,
    W2: churnGoals,
    W3: idleGoals,
    W4: progressGoals,
    W6: resumeGoals,
    W7: parkedGoals,
    W8: notifyGoals,
    W10: abandonedGoals,
    W12: listenGoals,
    W12B: changeGoals,
  }
  return Object.entries(goalsOf).flatMap(([name, goals]) => {
    const table = tables.get(name)
    return table ? goals(table).filter(({ value }) => value !== undefined) : []
  })
}

/** Finds medians in the rows of one workload. */
class Table {
  readonly #rows: readonly Row[]

  constructor(rows: readonly Row[]) {
    this.#rows = rows
  }

  get cases(): string[] {
    return [...new Set(this.#rows.map((row) => row.case))]
  }

  get(target: string, key: string, caseName?: string): number | undefined {
    const row = this.#rows.find((row) => row.target === target && (caseName ?? row.case) === row.case)
    return row?.figures[key]?.median
  }

  ratio(target: string, caseName?: string): number | undefined {
    return this.#rows.find((row) => row.target === target && (caseName ?? row.case) === row.case)?.ratio?.median
  }
}

function divide(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a / b
}

/** The greatest of those that there are. */
function max(...values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length > 0 ? Math.max(...known) : undefined
}

function atMost(text: string, target: string, value: number | undefined, limit: number, digits = 2): Goal {
  return { text, target, value, limit, direction: 'at most', digits }
}

function atLeast(text: string, target: string, value: number | undefined, limit: number, digits = 2): Goal {
  return { text, target, value, limit, direction: 'at least', digits }
}

function callGoals(table: Table): Goal[] {
  const sse = divide(table.ratio('ours-node-sse'), table.ratio('dispatch-sse'))
  return [
    atMost('W1 CPU ÷ dispatch', 'ours-node', table.ratio('ours-node'), 1.25),
    atMost('W1 CPU ÷ dispatch in SSE', 'ours-node-sse', sse, 1.4),
    ...modernCallGoals(table),
    ...frameworks.map(({ name }) => {
      const [own, bare, floor] = [table.ratio(`ours-${name}`), table.ratio(`floor-${name}`), table.ratio('floor')]
      // In units of dispatch: what the framework takes beyond node:http, and one dispatch.
      const reachable = bare === undefined || floor === undefined ? undefined : bare + 1 - floor
      return atMost('W1 CPU ÷ (floor of the framework + dispatch − floor)', `ours-${name}`, divide(own, reachable), 1.2)
    }),
    ...['node', ...frameworks.map(({ name }) => name)].map((name) => {
      const sdk = max(table.get(`sdk1-${name}`, 'perSecond'), table.get(`sdk1-${name}-json`, 'perSecond'))
      const value = divide(table.get(`ours-${name}`, 'perSecond'), sdk)
      return atLeast('W1 req/s ÷ SDK 1.x on the same, its faster mode', `ours-${name}`, value, 4)
    }),
  ]
}

/** 2026-07-28: a server object for each request, whoever serves it. */
function modernCallGoals(table: Table): Goal[] {
  const own = table.ratio('ours-node-2026')
  const beside = (name: string): number | undefined => divide(own, table.ratio(name))
  return [
    atMost('W1 CPU ÷ dispatch2-modern, which has no HTTP', 'ours-node-2026', beside('dispatch2-modern'), 1.25),
    atMost('W1 CPU ÷ dispatch2-2026, the same on node:http', 'ours-node-2026', beside('dispatch2-2026'), 1.25),
    atMost('W1 CPU ÷ createMcpHandler', 'ours-node-2026', beside('sdk2-handler-2026'), 0.5),
  ]
}

function churnGoals(table: Table): Goal[] {
  const rate = (target: string, other: string): number | undefined =>
    divide(table.get(target, 'perSecond'), table.get(other, 'perSecond'))
  const shared = 'ours-node-30-shared'
  return [
    atLeast('W2 sessions/s ÷ dispatch', 'ours-node', rate('ours-node', 'dispatch'), 0.95),
    atLeast('W2 sessions/s ÷ dispatch, 30 tools', shared, rate(shared, 'dispatch-30'), 1.5),
    atLeast('W2 sessions/s ÷ not shared, 30 tools', shared, rate(shared, 'ours-node-30'), 2),
  ]
}

function abandonedGoals(table: Table): Goal[] {
  const hibernating = 'ours-node-hibernating'
  return [
    atMost('W10 CPU ÷ the same three dispatches', 'ours-node', table.ratio('ours-node'), 1.3),
    ...['ours-node', hibernating].map((name) =>
      atMost(`W10 live heap after ${table.cases.join()}, MB`, name, table.get(name, 'heapMb'), 100, 1),
    ),
    atMost('W10 B per abandoned session after 5 s', hibernating, table.get(hibernating, 'keptB'), 1_024, 0),
  ]
}

function idleGoals(table: Table): Goal[] {
  return table.cases.flatMap((name) => {
    const own = table.get('ours-node', 'sessionKb', name)
    const bare = table.get('dispatch', 'sessionKb', name)
    const above = own === undefined || bare === undefined ? undefined : own - bare
    return [
      atMost(`W3 heap KB per session above dispatch, ${name}`, 'ours-node', above, 8, 1),
      atMost(
        `W3 heap per session ÷ not shared, 30 tools, ${name}`,
        'ours-node-30-shared',
        divide(table.get('ours-node-30-shared', 'sessionKb', name), table.get('ours-node-30', 'sessionKb', name)),
        0.5,
      ),
      atMost(`W3 heap KB per open stream, ${name}`, 'ours-node', table.get('ours-node', 'streamKb', name), 15, 1),
      atMost(
        `W3 heap after close, % of before, ${name}`,
        'ours-node',
        table.get('ours-node', 'returned', name),
        105,
        1,
      ),
    ]
  })
}

function progressGoals(table: Table): Goal[] {
  const bursts = table.cases.filter((name) => name.startsWith('burst'))
  return [
    // With the memory log, and with one that does as little as it can.
    ...bursts.map((name) =>
      atLeast(`W4 events/s ÷ dispatch, ${name}`, 'ours-node', table.ratio('ours-node', name), 0.5),
    ),
    ...bursts.map((name) =>
      atLeast(`W4 events/s ÷ dispatch, ${name}`, 'ours-node-no-log', table.ratio('ours-node-no-log', name), 0.7),
    ),
    ...table.cases
      .filter((name) => name.includes(', 1 at'))
      .map((name) => atMost(`W4 first event ms, ${name}`, 'ours-node', table.get('ours-node', 'firstMs', name), 2)),
  ]
}

function resumeGoals(table: Table): Goal[] {
  const [alone, crowded] = table.cases.filter((name) => name.startsWith('10000'))
  const name = 'ours-node-resume'
  const cpu = divide(table.get(name, 'cpuUs', crowded ?? ''), table.get(name, 'cpuUs', alone ?? ''))
  return [
    atLeast('W6 events/s, 10,000 events', name, table.get(name, 'perSecond', alone ?? ''), 300_000, 0),
    atMost('W6 CPU per event ÷ without other sessions', name, cpu, 1.1),
  ]
}

function parkedGoals(table: Table): Goal[] {
  const [none, ...others] = table.cases
  const most = others.at(-1) ?? ''
  const value = divide(table.get('ours-node', 'cpuUs', most), table.get('ours-node', 'cpuUs', none))
  return [atMost(`W7 CPU per echo, ${most} ÷ none`, 'ours-node', value, 1.1)]
}

function notifyGoals(table: Table): Goal[] {
  const value = divide(table.get('ours-node', 'cpuUs'), table.get('floor', 'cpuUs'))
  return [atMost('W8 CPU per event ÷ a bare response.write', 'ours-node', value, 3)]
}

function listenGoals(table: Table): Goal[] {
  return table.cases.map((name) => {
    const own = table.get('ours-node-2026', 'streamKb', name)
    const bare = table.get('floor', 'streamKb', name)
    const above = own === undefined || bare === undefined ? undefined : own - bare
    return atMost(`W12 heap KB per stream above a bare response, ${name}`, 'ours-node-2026', above, 4, 1)
  })
}

function changeGoals(table: Table): Goal[] {
  return table.cases.flatMap((name) => {
    const own = table.get('ours-node-2026', 'cpuMs', name)
    const value = divide(table.get('sdk2-handler-2026', 'cpuMs', name), own)
    return [
      atLeast(`W12B CPU of createMcpHandler ÷ ours, ${name}`, 'ours-node-2026', value, 10, 1),
      atMost(`W12B events per stream, ${name}`, 'ours-node-2026', table.get('ours-node-2026', 'most', name), 2, 0),
    ]
  })
}
