import { type RequestId, rpcCode, toErrorMessage } from '../rpc/json-rpc.ts'

/** For a request whose answer existed and is not kept any more. */
export function toGoneAnswer(requestId: RequestId): string {
  return JSON.stringify(toErrorMessage(rpcCode.refused, 'The answer to this request is no longer kept', requestId))
}
