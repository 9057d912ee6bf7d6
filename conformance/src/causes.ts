import type { Cause, Sign } from './causes/cause.ts'
import { edgeCauses } from './causes/edge.ts'
import { modernCauses } from './causes/modern.ts'
import { offerCauses } from './causes/offers.ts'
import { sessionCauses } from './causes/sessions.ts'
import { streamCauses } from './causes/streams.ts'
import type { Result } from './report.ts'

export type { Cause } from './causes/cause.ts'

/** Of several that fit a failure the first is taken. */
export const causes: readonly Cause[] = [
  ...sessionCauses,
  ...edgeCauses,
  ...streamCauses,
  ...offerCauses,
  ...modernCauses,
]

/** What a cause is found by. */
export type Unmet = Pick<Result, 'id' | 'message'>

/** Tells the cause of each of these results, which are all that a run found not to be met. */
export function createDiagnosis(unmet: readonly Unmet[]): (result: Unmet) => Cause | undefined {
  const possible = causes.filter(({ shownBy }) => shownBy === undefined || unmet.some((each) => isSign(shownBy, each)))
  return (result) => possible.find((cause) => explains(cause, result))
}

function isSign({ ids, message }: Sign, unmet: Unmet): boolean {
  return ids.includes(unmet.id) && (message?.test(unmet.message) ?? true)
}

function explains({ explains: starts, message }: Cause, unmet: Unmet): boolean {
  const isOf = (start: string) =>
    unmet.id === start || ((start === '' || start.endsWith('/')) && unmet.id.startsWith(start))
  return starts.some(isOf) && (message?.test(unmet.message) ?? true)
}
