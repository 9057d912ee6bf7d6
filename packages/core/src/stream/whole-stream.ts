import type { EventLog, LogEvent } from '../backplane/backplane.ts'
import { traces } from '../diagnostics/channels.ts'
import type { EventSink, EventStreamBody, SinkEvents } from '../http/http.ts'
import { pieceLength } from '../http/paced-sink.ts'
import type { RequestId } from '../rpc/json-rpc.ts'
import type { Fate } from './feed.ts'
import type { Appender, LogWriter } from './log-writer.ts'
import type { StreamFormat } from './sse-format.ts'

/** An event stream that is all there before it is opened: nobody has to write or read it later. */
export class WholeStream implements EventStreamBody, SinkEvents {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  open(sink: EventSink): SinkEvents {
    sink.end(this.#text)
    return this
  }

  drain(): void {
    // Nothing is left to write.
  }

  progress(): void {
    // Its end was written: who carries the response looks after its client.
  }

  gone(): void {
    // Nobody waits for that.
  }
}

/**
 * Whether an answer may be a whole stream: a longer one goes at its client's pace, and who observes streams sees a
 * connection.
 */
export function fitsWhole(text: string): boolean {
  return text.length <= pieceLength && !traces.stream.isObserved
}

export interface WholeParts {
  readonly sessionKey: string
  readonly writer: LogWriter
  readonly log: EventLog
  readonly format: StreamFormat
}

/**
 * A stream whose only event is the answer to a request. The log keeps it as any other, so its client can come back for
 * it. Only for a log that settles at once.
 */
export function writeWhole(data: string, requestId: RequestId, parts: WholeParts): WholeStream {
  const { sessionKey, writer, log, format } = parts
  const streamTag = writer.nextTag()
  const opening = format.opening({ streamTag, index: 0, position: writer.position }, [])
  const position = writer.nextPosition()
  const event = { streamTag, index: 1, position, kind: 'message', data, last: true, requestIds: [requestId] } as const
  const message = format.message(data, event)
  const appended = new Appended()
  writer.append(event, appended)
  log.release(sessionKey, streamTag)
  if (appended.fate === 'stored') return new WholeStream(opening + message)
  // What another node's session does not have, a client that can go there is not given.
  if (appended.fate === 'fenced' && format.canResume) return new WholeStream(opening)
  return new WholeStream(opening + format.message(data))
}

class Appended implements Appender {
  fate: Fate = 'unstored'

  announce(): undefined {
    return undefined
  }

  settled(_event: LogEvent, fate: Fate): void {
    this.fate = fate
  }
}
