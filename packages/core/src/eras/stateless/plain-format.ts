import {
  comment,
  formatEventHead,
  formatEventWithoutId,
  gapComment,
  type StreamFormat,
} from '../../stream/sse-format.ts'

/** Streams that nobody can come back to: no ids, no `retry`. */
export const plainFormat: StreamFormat = {
  canResume: false,
  gap: gapComment,
  comeBackIn: () => '',
  opening: () => comment,
  priming: () => '',
  head: () => formatEventHead(),
  message: formatEventWithoutId,
}
