import { toQuantiles } from './check/tally.ts'
import type { ChaosResult } from './run.ts'

/** What a run was put through, and what was found. */
export function toReport({ tally, recoveries, nemeses, errors, maxRss }: ChaosResult): string {
  const times = (name: 'sessionMs' | 'callMs') => recoveries.flatMap((recovery) => recovery[name] ?? [])
  return [
    '',
    ...toLines('faults that were made', nemeses),
    ...toLines('clients', tally.figures),
    ...toLines('errors that nodes told of', Object.fromEntries(errors)),
    `after a kill, until the session answers: ${toQuantiles(times('sessionMs'))}`,
    `after a kill, until its call has an error: ${toQuantiles(times('callMs'))}`,
    `memory of a node at most: ${Math.round(maxRss / 1e6)} MB`,
    ...toLines('what must not happen', tally.faults),
  ].join('\n')
}

function toLines(title: string, counts: Readonly<Record<string, number>>): string[] {
  const entries = Object.entries(counts)
  return entries.length === 0 ? [] : [`${title}:`, ...entries.map(([name, count]) => `  ${name}: ${count}`)]
}
