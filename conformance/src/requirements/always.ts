import type { CheckContext } from '../client/context.ts'
import { expectNone, unlessMissing } from '../client/expect.ts'
import { request } from '../client/json-rpc.ts'
import { progressCall } from '../client/probes.ts'
import { streamsOf } from '../client/streams.ts'
import type { Invariant } from '../client/witness.ts'
import { requirement } from '../requirement.ts'

/** Uses whatever the server offers, so that there is something to see where these checks run alone. */
async function useEverything(context: CheckContext): Promise<void> {
  const session = await context.open()
  await session.ensureListening()
  for (const method of ['ping', 'tools/list', 'no/such/method']) {
    await (await session.post(request(method))).messages()
  }
  await unlessMissing(streamsOf(context))
  if (!context.target.offers.has('sse')) return
  for (let count = 0; count < 2; count++) await unlessMissing(progressCall(session).then((call) => call.finish()))
}

async function expectNever(context: CheckContext, invariant: Invariant): Promise<void> {
  await useEverything(context)
  expectNone(context.target.witness.findings(invariant))
}

/** What holds of every message and stream, whatever the other checks read them for. They go last. */
export const alwaysRequirements = [
  requirement({
    id: 'always/event-ids-are-unique',
    title: 'No event id stands for two events, or comes twice without a resume, on any stream that was read.',
    rows: ['R121'],
    level: 'MUST',
    spec: '2025-11-25/basic/transports#resumability-and-redelivery',
    check: (context) => expectNever(context, 'ids'),
  }),
  requirement({
    id: 'always/nothing-follows-the-response',
    title: 'On no stream that was read does a message follow the last response.',
    rows: ['R093'],
    level: 'dMUST',
    spec: '2025-11-25/basic/transports#sending-messages-to-the-server',
    because:
      'Messages may be sent before the response, and the stream is to end after it: a client that has its answer reads no further.',
    check: (context) => expectNever(context, 'end'),
  }),
  requirement({
    id: 'always/messages-fit-the-schema',
    title: 'Every message that was read fits the schema.',
    rows: ['R077'],
    level: 'MUST',
    spec: '2025-11-25/schema',
    check: (context) => expectNever(context, 'schema'),
  }),
  requirement({
    id: 'always/messages-keep-to-their-stream',
    title:
      'No response comes on the stream of another request or of a plain GET, and no session gets the progress of another.',
    rows: ['R091', 'R106', 'R119'],
    level: 'dMUST',
    spec: '2025-11-25/basic/transports#multiple-connections',
    because: 'Each message goes on one stream, that of its own call: on any other the client that waits misses it.',
    check: (context) => expectNever(context, 'place'),
  }),
]
