import type { Happening, StreamEvent } from '../src/protocol.ts'
import { clock, duration, pretty } from './format.ts'
import { HappeningLine } from './happening-list.tsx'
import { EventLine } from './stream-replay.tsx'
import { useStream } from './use-stream.ts'

export interface CallSequenceProps {
  readonly sessionKey: string
  readonly call: Happening
  /** Of its session. */
  readonly happenings: readonly Happening[]
  readonly tick: number
}

/** One call from its request to its answer, as it goes over the wire. */
export function CallSequence({ sessionKey, call, happenings, tick }: CallSequenceProps) {
  const begin = happenings.find(({ thing, phase }) => thing === call.thing && phase === 'start')
  const end = happenings.find(({ thing, phase }) => thing === call.thing && phase === 'end')
  const streamTag = findStream(call, begin, happenings)
  const connections = happenings.filter((one) => one.kind === 'stream' && streamTag && one.streamTag === streamTag)
  const { events } = useStream(sessionKey, streamTag, tick)
  const [opened, ...later] = connections
  return (
    <ol class="sequence" aria-label={`Sequence of ${call.title}`}>
      <li class="wire out">
        <time>{begin ? clock(begin.at) : ''}</time> <b>request</b> {call.title}
        <Message text={begin?.text} missing="Its arguments are not kept: nobody looked at this session then." />
      </li>
      {opened && (
        <li>
          <HappeningLine happening={opened} />
        </li>
      )}
      {events.map((event: StreamEvent) => (
        <EventLine key={event.index} event={event} />
      ))}
      {later.map((one) => (
        <li key={one.seq}>
          <HappeningLine happening={one} />
        </li>
      ))}
      {end ? (
        <li class="wire in">
          <time>{clock(end.at)}</time> <b>{end.outcome ?? 'end'}</b>
          {end.durationMs !== undefined && ` after ${duration(end.durationMs)}`}
          {/* What came on a stream stands above. */}
          {events.at(-1)?.last !== true && <Message text={end.text} missing="" />}
        </li>
      ) : (
        <li>It runs.</li>
      )}
    </ol>
  )
}

function Message({ text, missing }: { text: string | undefined; missing: string }) {
  if (text === undefined) return missing === '' ? null : <p>{missing}</p>
  return <pre>{pretty(text)}</pre>
}

/** Clients may give every call the same id: its stream is the first that opened before the next call with that id. */
function findStream(
  { requestId }: Happening,
  begin: Happening | undefined,
  happenings: readonly Happening[],
): string | undefined {
  const from = begin?.seq ?? 0
  const next = happenings.find(
    (one) => one.kind === 'call' && one.phase === 'start' && one.requestId === requestId && one.seq > from,
  )
  return happenings.find(
    ({ kind, seq, requestIds }) =>
      kind === 'stream' &&
      requestId !== undefined &&
      requestIds?.includes(requestId) &&
      seq > from &&
      seq < (next?.seq ?? Infinity),
  )?.streamTag
}
