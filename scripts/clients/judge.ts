import { type Client, type EraName, type Feature, features } from './roster.ts'
import { describe, isOnWire, type Log, refused, served, spokenIn } from './wire.ts'

/** What a driver tried: the failure of each feature, `undefined` where there was none. */
export type Tried = ReadonlyMap<string, string | undefined>

/** What came of one client. */
export interface Verdict {
  /** Cells of its row, by column. */
  readonly cells: Readonly<Record<string, string>>
  readonly failures: readonly string[]
}

/** Columns of the table of {@link judge}. */
export const columns = ['client', 'speaks', 'era', ...features, 'served', 'refused']

/** A client of a server that serves both eras: what it tried, and on the wire that it was served by its own era. */
export function judge(client: Client, tried: Tried, log: Log): Verdict {
  const wanted = wantedOf(client)
  const failures = failuresOf(tried, ['connect', ...wanted, 'close'])
  const hidden = wanted.filter((name) => !isFailed(name, failures) && !isOnWire(name, client.era, log))
  failures.push(...hidden.map((name) => `${name}: Expected it on the wire as era ${client.era} has it`))
  failures.push(...failuresOfEra(client.era, log), ...failuresOfRefusals(client.refusals ?? [], log))
  const cells: Record<string, string> = {
    client: client.name,
    speaks: spokenIn(log),
    era: [...new Set(served(log).map(({ era }) => era ?? '?'))].join(' and '),
    served: String(served(log).length),
    refused: String(refused(log).length),
  }
  for (const name of features) cells[name] = isFailed(name, failures) ? 'FAIL' : 'yes'
  for (const name of client.lacks) cells[name] = '–'
  for (const name of client.breaks ?? []) cells[name] = 'no'
  return { cells, failures }
}

export function wantedOf({ lacks, breaks = [] }: Client): readonly Feature[] {
  return features.filter((name) => !lacks.includes(name) && !breaks.includes(name))
}

export function failuresOf(tried: Tried, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    if (!tried.has(name)) return [`${name}: was not tried`]
    const failure = tried.get(name)
    return failure === undefined ? [] : [`${name}: ${failure}`]
  })
}

export function isFailed(name: string, failures: readonly string[]): boolean {
  return failures.some((text) => text.startsWith(`${name}: `))
}

/** Everything that was not refused was served by this era. */
export function failuresOfEra(era: EraName, log: Log): string[] {
  const strangers = served(log).filter((exchange) => exchange.era !== era)
  if (served(log).length === 0) return ['era: Nothing was served']
  if (strangers.length === 0) return []
  return [`era: Expected ${era} to serve ${strangers.length} of ${served(log).length}, as ${describe(strangers[0])}`]
}

export function failuresOfRefusals(expected: readonly string[], log: Log): string[] {
  const found = refused(log).join(', ')
  const wanted = expected.join(', ')
  return found === wanted ? [] : [`refused: Expected ${wanted || 'nothing'}, got ${found || 'nothing'}`]
}
