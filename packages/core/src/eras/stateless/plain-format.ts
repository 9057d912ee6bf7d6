import { comment, formatEventWithoutId, type StreamFormat } from '../../stream/sse-format.ts'

/** Streams that nobody can come back to: no ids, no `retry`. */
export const plainFormat: StreamFormat = {
  opening: () => comment,
  message: formatEventWithoutId,
}
