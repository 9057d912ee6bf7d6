import { comment, formatEventWithoutId } from '../stream/sse-format.ts'
import type { StreamFormat } from '../stream/stream-format.ts'

/** Streams that nobody can come back to: no ids, no `retry`. */
export const plainFormat: StreamFormat = {
  opening: () => comment,
  message: formatEventWithoutId,
}
