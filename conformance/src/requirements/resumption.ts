import type { Requirement } from '../requirement.ts'
import { resumedCallRequirements } from './resumption-calls.ts'
import { resumedGetStreamRequirements } from './resumption-get-stream.ts'
import { eventIdRequirements } from './resumption-ids.ts'

/** The order of the catalogue, which is not that of the files. */
const order = [
  'resume/event-ids-are-unique',
  'resume/id-alone-names-the-stream',
  'resume/event-ids-fit-a-header',
  'resume/continues-a-running-call',
  'resume/replays-no-other-stream',
  'resume/foreign-event-id-leaks-nothing',
  'resume/guessed-event-ids-leak-nothing',
  'resume/needs-the-session-id',
  'resume/ended-session-is-404',
  'resume/replay-keeps-the-order',
  'resume/concurrent-pushes-keep-their-order',
  'resume/from-the-last-id-replays-nothing',
  'resume/finished-stream-is-replayed-and-ended',
  'resume/finished-stream-from-its-last-id-ends',
  'resume/standalone-stream-keeps-what-was-missed',
  'resume/two-at-once-get-each-live-message-once',
  'resume/takes-over-from-an-open-connection',
  'resume/goes-on-when-the-old-connection-closes',
  'resume/random-disconnects-lose-nothing',
  'resume/random-disconnects-while-listening-lose-nothing',
  'resume/cut-connections-lose-nothing',
  'resume/question-is-replayed',
  'resume/response-outlives-a-flood',
  'resume/garbage-event-id-is-refused',
  'resume/forged-event-id-maps-to-nothing',
  'resume/event-id-without-a-store-does-no-harm',
  'resume/works-on-another-node',
]

/** I. Resumability. */
export const resumptionRequirements: readonly Requirement[] = [
  ...resumedCallRequirements,
  ...resumedGetStreamRequirements,
  ...eventIdRequirements,
].sort((one, other) => order.indexOf(one.id) - order.indexOf(other.id))
