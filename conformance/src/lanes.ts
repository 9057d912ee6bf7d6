import { areaOf } from './report.ts'
import type { Requirement } from './requirement.ts'

/** Checks that run in the same way, one lane after the other. */
export interface Lane {
  readonly checks: readonly Requirement[]
  /** At the same time. */
  readonly atOnce: number
  /** After each of them one looks whether the server still works, so that the one which broke it is known. */
  readonly isWatched: boolean
  /** Nothing else can be set up where one of these is not met. */
  readonly isFirst: boolean
}

/**
 * The first ones are those that everything else needs. What could harm the server comes last, so that the rest is known
 * by then, and after it what looks at what the run left.
 */
export function toLanes(planned: readonly Requirement[], concurrency: number): Lane[] {
  const left = new Set(planned)
  const take = (isMeant: (requirement: Requirement) => boolean): Requirement[] => {
    const taken = [...left].filter(isMeant)
    for (const requirement of taken) left.delete(requirement)
    return taken
  }
  const first = take(({ id }) => firstIds.has(id))
  const afterwards = take(({ id }) => ['always', 'afterwards'].includes(areaOf(id)))
  const patient = take(({ abuse, slow, alone }) => abuse && slow && !alone)
  const abusive = take(({ abuse }) => abuse)
  const alone = take((requirement) => requirement.alone)
  const waiting = take(({ slow }) => slow)
  const lane = (checks: Requirement[], atOnce: number, more: Partial<Lane> = {}): Lane => {
    return { checks, atOnce, isWatched: false, isFirst: false, ...more }
  }
  return [
    lane(first, 1, { isFirst: true }),
    lane(acrossAreas([...left]), concurrency),
    lane(waiting, waiting.length),
    lane(alone, 1),
    lane(abusive, 1, { isWatched: true }),
    lane(patient, patient.length),
    lane(afterwards, 1),
  ].filter(({ checks }) => checks.length > 0)
}

/** Without these nothing else can be set up. */
const firstIds: ReadonlySet<string> = new Set(['lifecycle/initialize-is-answered', 'lifecycle/every-client-is-served'])

/** One of each area in turn, so that a run which is cut has looked at all of them. */
function acrossAreas(checks: readonly Requirement[]): Requirement[] {
  const areas = [...new Set(checks.map(({ id }) => areaOf(id)))]
  const queues = areas.map((area) => checks.filter(({ id }) => areaOf(id) === area))
  const dealt: Requirement[] = []
  for (let round = 0; dealt.length < checks.length; round++) {
    for (const queue of queues) dealt.push(...queue.slice(round, round + 1))
  }
  return dealt
}
