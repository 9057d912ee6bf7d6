import { type Message, request } from './json-rpc.ts'
import { Trace } from './probes.ts'
import type { Session } from './session.ts'
import type { Target } from './target.ts'

/** A request that is to be refused and not executed. */
export interface Attempt {
  readonly message: Message
  /** Where the server has tools that remember: expects that the request was not executed. */
  expectUntouched(session: Session, what: string): Promise<void>
}

/** Without tools that remember, a request that any server knows, whose refusal is all that can be seen. */
export function createAttempt({ roles }: Target): Attempt {
  if (!roles.has('abort_probe') || !roles.has('abort_query')) {
    return { message: request('ping'), expectUntouched: async () => undefined }
  }
  const trace = new Trace()
  return { message: trace.call(), expectUntouched: (session, what) => trace.expectUntouched(session, what) }
}
