import { type RefusalCode, Rejection } from '../../http/errors.ts'
import type { HttpReply } from '../../http/http.ts'
import { rpcCode } from '../../rpc/json-rpc.ts'

/** What the errors of the SDK's entry are called here; others are invalid requests. */
const refusals = new Map<unknown, RefusalCode>([
  [rpcCode.headerMismatch, 'header_mismatch'],
  [rpcCode.unsupportedVersion, 'unsupported_version'],
  [rpcCode.invalidParams, 'invalid_params'],
])

/** The entry has refused a request by itself. Its client is told in its words, and observers as of any other refusal. */
export function toEntryRejection(reply: HttpReply): Rejection {
  const { code, message } = readError(reply.body)
  const refusal = reply.status >= 500 ? 'internal_error' : (refusals.get(code) ?? 'invalid_request')
  const rejection = new Rejection(refusal, message === undefined ? {} : { message })
  rejection.reply = reply
  return rejection
}

function readError(body: unknown): { readonly code?: unknown; readonly message?: string } {
  try {
    const { code, message } = (JSON.parse(body as string) as { error: { code: unknown; message: unknown } }).error
    return { code, ...(typeof message === 'string' && { message }) }
  } catch {
    return {}
  }
}
