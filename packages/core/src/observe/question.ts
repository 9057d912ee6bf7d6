import type { QuestionMessage } from '../diagnostics/messages.ts'
import { NameLimit } from './name-limit.ts'
import type { MetricAttributes } from './operation.ts'

/** Code of the error that the client has answered with. */
export function answeredCode({ outcome, error }: QuestionMessage): string | undefined {
  return outcome === 'error' ? String((error as { readonly code?: unknown }).code) : undefined
}

/** `error.type` of a question that is over: a code, or why there is no answer. */
export function questionErrorOf(message: QuestionMessage): string | undefined {
  const { outcome } = message
  return outcome === 'result' ? undefined : (answeredCode(message) ?? outcome)
}

/** Attributes of `mcp.client.operation.duration`. */
export class QuestionAttributes {
  readonly #methods = new NameLimit()
  /** Clients write them. */
  readonly #codes = new NameLimit()

  of(message: QuestionMessage): MetricAttributes {
    const code = answeredCode(message)
    const counted = code === undefined ? undefined : this.#codes.count(code, false)
    const errorType = counted ?? questionErrorOf(message)
    return {
      'mcp.method.name': this.#methods.count(message.method, errorType === undefined),
      'mcp.protocol.version': message.protocolVersion,
      'network.protocol.name': 'http',
      'network.transport': 'tcp',
      ...(errorType !== undefined && { 'error.type': errorType }),
      ...(counted !== undefined && { 'rpc.response.status_code': counted }),
    }
  }
}
