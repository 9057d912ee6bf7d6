import { expectThat, fail, setUp } from './expect.ts'
import { type Id, type Json, type Message, resultFor, toolCall } from './json-rpc.ts'
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
  /** Tells them apart for whoever reads the transcript. By default the tool asks what it likes. */
  readonly question?: string
  readonly id?: Id
  readonly timeoutMs?: number
}

/**
 * Begins a tool that asks the client; resolves when the question came, on whichever stream: where it belongs is a
 * requirement of its own.
 */
export async function beginAsk(session: Session, options: AskOptions = {}): Promise<Asking> {
  const { tool = 'ask', question, timeoutMs } = options
  await session.ensureListening()
  session.takeOver(methods[tool])
  const before = new Set(session.received)
  // Nothing that was not asked for: tools of other servers may refuse arguments that they do not know.
  const args = { ...(question === undefined ? {} : { question }), ...(timeoutMs === undefined ? {} : { timeoutMs }) }
  const message = toolCall(tool, args, options.id === undefined ? {} : { id: options.id })
  const { exchange } = session.startPost(message)
  const isNew = (received: Received) => !before.has(received)
  const asked = await setUp('the question of a tool', session.serverRequest(methods[tool], isNew))
  return {
    asked,
    askedId: asked.message.id ?? fail('Expected the question to have an id'),
    call: async () => new Call(await exchange, message.id ?? ''),
  }
}

/** What the user fills in, in the forms of all tools that play `ask`. */
export function formWith(answer: string): Json {
  return { action: 'accept', content: { answer, username: answer, email: 'conformance@example.com' } }
}

/** The answer to a question of `ask`, which returns a text with it. */
export function answerWith(asking: Asking, answer: string): Message {
  return resultFor(asking.askedId, formWith(answer))
}

/** The answer to a question of `ask_sampling`, which returns a text with it. */
export function sampleWith(asking: Asking, text: string): Message {
  return resultFor(asking.askedId, { role: 'assistant', content: { type: 'text', text }, model: 'none' })
}

/** What surrounds the answer differs from tool to tool. */
export function expectAnswer(text: string | undefined, answer: string): void {
  expectThat(text?.includes(answer) === true, `Expected the text of the tool to have ${answer} in it, got ${text}`)
}
