import type { Random } from '../random.ts'

/** How a client reads its streams. Everything is fine for a client that comes back. */
export interface Manners {
  /** It cuts a connection after so many bytes, on average; `Infinity`: never. */
  readonly cutBytes: number
  /** It cuts a connection after so many milliseconds, on average. */
  readonly cutMs: number
  /** It rests after each piece it reads, in milliseconds. */
  readonly restMs: number
  /** Before it cuts a connection it stops reading for so long, in milliseconds. */
  readonly deadMs: number
  /** It stays away so long at most before it comes back, beside what `retry` asks for. */
  readonly awayMs: number
}

/** Reads as fast as it can, and stays. */
export const gentle: Manners = { cutBytes: Infinity, cutMs: Infinity, restMs: 0, deadMs: 0, awayMs: 0 }

export function pickManners(random: Random): Manners {
  const kind = random.weighted({ gentle: 3, cutting: 6, slow: 2, dead: 1 })
  if (kind === 'gentle') return gentle
  const cutting: Manners = {
    ...gentle,
    cutBytes: random.pick([200, 2_000, 20_000, 200_000]),
    cutMs: random.pick([50, 300, 1_500]),
    awayMs: random.pick([0, 0, 50, 600]),
  }
  if (kind === 'cutting') return cutting
  if (kind === 'slow') return { ...cutting, restMs: random.int(1, 30) }
  return { ...cutting, deadMs: random.int(500, 3_500) }
}

/** A time or size that is often small and sometimes large, around this average. */
export function spread(random: Random, average: number): number {
  return average === Infinity ? Infinity : Math.ceil(-Math.log(1 - random.next()) * average)
}
