import { begun, traces } from '../diagnostics/channels.ts'
import type { ReplayMessage } from '../diagnostics/messages.ts'
import { resumeHeader } from '../http/headers.ts'
import type { HttpReply, HttpRequest } from '../http/http.ts'

interface Replayed {
  readonly endpoint: object
  readonly sessionKey: string
  readonly eventId: string
  readonly request: HttpRequest
  /** No client has come back. */
  readonly isRecovery: boolean
}

/** Publishes how a client that comes back is served, while somebody observes that. */
export function traceReplay(replayed: Replayed, resume: () => Promise<HttpReply>): Promise<HttpReply> {
  if (!traces.replay.isObserved || replayed.isRecovery) return resume()
  const { endpoint, sessionKey, eventId, request } = replayed
  const { clientAddress, isForwarded = false, traceContext } = request
  const trace: ReplayMessage = { ...begun(endpoint), sessionKey, eventId, clientAddress, isForwarded, traceContext }
  return traces.replay.run(trace, resume, settle)
}

function settle(trace: ReplayMessage, { body, headers }: HttpReply): void {
  trace.outcome = body === undefined ? 'complete' : headers[resumeHeader] === 'gap' ? 'gap' : 'stream'
}
