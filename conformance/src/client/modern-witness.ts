import { modernRevision } from '../requirement.ts'
import type { Exchange } from './exchange.ts'
import { isObject, isResponse, type Message } from './json-rpc.ts'
import { modernProblemOf } from './modern-grammar.ts'
import { onMessages, type Witness } from './witness.ts'

/** Looks on while a check reads the answer to `request`, which says in its `_meta` that it is of 2026-07-28. */
export function watchModern(witness: Witness, request: Message, exchange: Exchange): void {
  onMessages(exchange, (message) => {
    const problem = problemIn(message, request)
    if (problem !== undefined) witness.report('modern-schema', `${problem} (in answer to ${request.method})`)
  })
}

/** `true` when nothing of the request speaks of an earlier revision, so that none can be meant by its answer. */
export function isModern({ params }: Message, header: unknown): boolean {
  const version = isObject(params?._meta) ? params._meta['io.modelcontextprotocol/protocolVersion'] : undefined
  return version === modernRevision && header === modernRevision
}

function problemIn(message: Message, request: Message): string | undefined {
  // JSON-RPC wants the id null where there is none to tell, and the schema none at all: as in earlier revisions.
  const { id, ...others } = message as Message & { id?: unknown }
  const isOurs = isResponse(message) && id === request.id
  const judged = id === null && message.error !== undefined ? others : message
  const problem = modernProblemOf(judged, isOurs ? request.method : undefined)
  return problem === undefined ? undefined : `a message ${problem}: ${JSON.stringify(message).slice(0, 300)}`
}
