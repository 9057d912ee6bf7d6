import type { HttpReply, HttpRequest } from '../http/http.ts'
import { toStreamReply } from '../http/reply.ts'
import type { SessionStreams } from './session-streams.ts'

/** GET without `Last-Event-ID`: the standalone stream, from the first event that was never written to a connection. */
export function listen(streams: SessionStreams, { auth }: HttpRequest): HttpReply {
  const { standalone } = streams
  const from = { index: standalone.written, position: standalone.writtenAt }
  return toStreamReply(streams.follow(standalone, auth, from))
}
