import { fail } from './expect.ts'
import { type Id, type Message, resultFor, toolCall } from './json-rpc.ts'
import { Call, type Received, type Session } from './session.ts'

/** A tool call in which the server has asked the client and waits. */
export interface Asking {
  readonly asked: Received
  readonly askedId: Id
  /** The call's answer; its head may come only after the question was answered. */
  call(): Promise<Call>
}

const methods = { ask: 'elicitation/create', ask_sampling: 'sampling/createMessage', ask_roots: 'roots/list' } as const

export interface AskOptions {
  readonly tool?: keyof typeof methods
  /** Told apart by it when several ask at once. */
  readonly question?: string
  readonly id?: Id
  readonly timeoutMs?: number
}

/**
 * Begins a tool that asks the client; resolves when the question came, on whichever stream: where it belongs is a
 * requirement of its own.
 */
export async function beginAsk(session: Session, options: AskOptions = {}): Promise<Asking> {
  const { tool = 'ask', question = 'q', timeoutMs } = options
  await session.ensureListening()
  const before = new Set(session.received)
  const args = { ...(tool === 'ask_roots' ? {} : { question }), ...(timeoutMs === undefined ? {} : { timeoutMs }) }
  const message = toolCall(tool, args, options.id === undefined ? {} : { id: options.id })
  const { exchange } = session.startPost(message)
  const asked = await session.serverRequest(methods[tool], (received) => !before.has(received))
  return {
    asked,
    askedId: asked.message.id ?? fail('Expected the question to have an id'),
    call: async () => new Call(await exchange, message.id ?? ''),
  }
}

/** The answer that the tool `ask` returns as `answer:` and the text. */
export function answerWith(asking: Asking, answer: string): Message {
  return resultFor(asking.askedId, { action: 'accept', content: { answer } })
}

/** The answer that the tool `ask_sampling` returns as `sampled:` and the text. */
export function sampleWith(asking: Asking, text: string): Message {
  return resultFor(asking.askedId, { role: 'assistant', content: { type: 'text', text }, model: 'none' })
}
