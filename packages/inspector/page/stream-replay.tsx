import type { StreamEvent } from '../src/protocol.ts'
import { pretty } from './format.ts'
import { type StreamLog, useStream } from './use-stream.ts'

export interface StreamReplayProps {
  readonly sessionKey: string
  readonly streamTag: string
  readonly tick: number
}

/** A stream as a client gets it that comes back with its first event id. */
export function StreamReplay({ sessionKey, streamTag, tick }: StreamReplayProps) {
  const log = useStream(sessionKey, streamTag, tick)
  const { events, head, error } = log
  return (
    <div class="replay">
      {error && (
        <p class="bad" role="alert">
          {error}
        </p>
      )}
      <p role="status">{stateOf(log)}</p>
      <ol>
        {events.flatMap((event, i) => {
          const missing = event.index - (events[i - 1]?.index ?? (i === 0 && head > 500 ? event.index - 1 : 0)) - 1
          const line = <EventLine key={event.index} event={event} />
          return missing > 0 ? [<li key={`before ${event.index}`}>{missing} not kept</li>, line] : [line]
        })}
      </ol>
    </div>
  )
}

function stateOf({ events, head, ended, isGone }: StreamLog): string {
  if (isGone) return 'The log has nothing of this stream.'
  if (ended) return `Ended with event ${head}.`
  return events.length === 0 ? 'No event yet.' : `Up to event ${events.at(-1)?.index} of ${head}; it goes on.`
}

export function EventLine({ event: { index, kind, last, text } }: { event: StreamEvent }) {
  return (
    <li class="wire in">
      <b>event {index}</b> {text === '' ? 'announces or ends the stream' : kind}
      {last && ', the last'}
      {text !== '' && <pre>{pretty(text)}</pre>}
    </li>
  )
}
