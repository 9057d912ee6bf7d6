import { modernRevision } from '../requirement.ts'
import type { SseEvent } from './event-reader.ts'
import type { Exchange } from './exchange.ts'
import { isObject, isResponse, type Message } from './json-rpc.ts'
import { modernProblemOf } from './modern-grammar.ts'
import { readable } from './session.ts'
import type { Target } from './target.ts'
import type { Witness } from './witness.ts'

const mostFindings = 20

/** Messages that do not fit the schema of 2026-07-28, by the run that read them. */
const findings = new WeakMap<Witness, string[]>()

/** Messages of 2026-07-28 that this run has read and that do not fit the schema. */
export function modernFindings({ witness }: Target): readonly string[] {
  return findings.get(witness) ?? []
}

/** Looks on while a check reads the answer to `request`, which says in its `_meta` that it is of 2026-07-28. */
export function watchModern({ witness }: Target, request: Message, exchange: Exchange): void {
  const report = (problem: string) => {
    const found = findings.get(witness) ?? []
    findings.set(witness, found)
    if (found.length < mostFindings) found.push(problem)
  }
  const judge = (message: Message) => {
    const problem = judgeMessage(message, request)
    if (problem !== undefined) report(`${problem} (in answer to ${request.method})`)
  }
  const see = (event: SseEvent) => {
    if (exchange.isEventStream) for (const message of readable(event)) judge(message)
  }
  exchange.stream.onEvent(see)
  exchange.onEnd(() => {
    const message = exchange.isEventStream ? undefined : messageIn(exchange)
    if (message !== undefined) judge(message)
  })
}

/** `true` when nothing of the request speaks of an earlier revision, so that none can be meant by its answer. */
export function isModern({ params }: Message, header: unknown): boolean {
  const version = isObject(params?._meta) ? params._meta['io.modelcontextprotocol/protocolVersion'] : undefined
  return version === modernRevision && header === modernRevision
}

function judgeMessage(message: Message, request: Message): string | undefined {
  // JSON-RPC wants the id null where there is none to tell, and the schema none at all: as in earlier revisions.
  const { id, ...others } = message as Message & { id?: unknown }
  const isOurs = isResponse(message) && id === request.id
  const judged = id === null && message.error !== undefined ? others : message
  const problem = modernProblemOf(judged, isOurs ? request.method : undefined)
  return problem === undefined ? undefined : `a message ${problem}: ${JSON.stringify(message).slice(0, 300)}`
}

function messageIn(exchange: Exchange): Message | undefined {
  // What broke off is for the check that reads it.
  if (exchange.contentType !== 'application/json' || exchange.failure !== undefined) return undefined
  try {
    const value: unknown = JSON.parse(exchange.received.toString('utf8'))
    return isObject(value) && 'jsonrpc' in value ? (value as Message) : undefined
  } catch {
    // No JSON: whether it should be, a requirement says.
    return undefined
  }
}
