/** What can be counted: see `work.ts`. */
export const works = ['calls', 'sessions', 'bursts'] as const

export type Work = (typeof works)[number]

export interface Settings {
  readonly work: Work
  readonly response: 'auto' | 'sse' | 'json'
  readonly times: number
}

/**
 * How often, the second time less the first: by then V8 has compiled what it compiles, and what is done once is in both.
 */
export const counts: Readonly<Record<Work, readonly [number, number]>> = {
  calls: [8_000, 20_000],
  sessions: [1_500, 5_000],
  bursts: [60, 200],
}
