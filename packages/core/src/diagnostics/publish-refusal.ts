import { type Rejection, refusals } from '../http/errors.ts'
import type { HttpRequest } from '../http/http.ts'
import { refusalChannel } from './channels.ts'
import { toPath } from './trace-request.ts'

/** A request is answered with this. */
export function publishRefusal(rejection: Rejection, request: HttpRequest, endpoint: object): void {
  if (!refusalChannel?.hasSubscribers) return
  const { refusal: code, message, cause } = rejection
  const { method: httpMethod, url, clientAddress, isForwarded = false } = request
  refusalChannel.publish({
    version: 1,
    endpoint,
    code,
    status: (rejection.reply ?? refusals[code]).status,
    message,
    httpMethod,
    path: toPath(url),
    host: request.header('host'),
    origin: request.header('origin'),
    clientAddress,
    isForwarded,
    cause,
  })
}
