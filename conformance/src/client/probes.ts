import { randomUUID } from 'node:crypto'
import type { Exchange } from './exchange.ts'
import { expectThat, fail } from './expect.ts'
import { isResponse, type Message, request, toolCall } from './json-rpc.ts'
import { type Call, readable, type Session } from './session.ts'
import { delay, patienceMs } from './waiting.ts'

/** A call that leaves a trace: tells whether a message that should have been refused was executed all the same. */
export class Trace {
  readonly key = randomUUID()

  /** The call that leaves the trace after `ms`. */
  call(ms = 0): Message {
    return toolCall('abort_probe', { key: this.key, ms })
  }

  /** `running`, `aborted`, `finished`, or `unknown`: never begun. */
  async state(session: Session): Promise<string> {
    return await session.text('abort_query', { key: this.key })
  }

  async expectUntouched(session: Session, what: string): Promise<void> {
    const state = await this.state(session)
    expectThat(state === 'unknown', `Expected ${what} to have no effect, but its tool call was executed (${state})`)
  }

  /** Waits until the call is in `wanted`. */
  async until(session: Session, wanted: readonly string[], ms = patienceMs): Promise<string> {
    const deadline = performance.now() + ms
    for (;;) {
      const state = await this.state(session)
      if (wanted.includes(state)) return state
      if (performance.now() > deadline) return fail(`Expected the call to be ${wanted.join(' or ')}, it is ${state}`)
      await delay(20)
    }
  }
}

/** Progress values of the notifications in `messages`, in order; of one token when it is given. */
export function progressIn(messages: readonly Message[], token?: string | number): number[] {
  return messages
    .filter((message) => message.method === 'notifications/progress')
    .filter((message) => token === undefined || message.params?.progressToken === token)
    .map((message) => Number(message.params?.progress))
}

/** Data of the log messages in `messages` that begin with `prefix`, in order. */
export function logsIn(messages: readonly Message[], prefix = ''): string[] {
  return messages
    .filter((message) => message.method === 'notifications/message')
    .map((message) => String(message.params?.data))
    .filter((data) => data.startsWith(prefix))
}

/** `from` to `to`, both included. */
export function numbers(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)
}

/** The numbered texts that the tool `push` sends. */
export function pushedTexts(prefix: string, count: number): string[] {
  return numbers(1, count).map((index) => `${prefix}:${index}`)
}

/** Waits until a log message with exactly this text came on the stream. */
export async function awaitLog(exchange: Exchange, text: string): Promise<void> {
  const has = () => logsIn(exchange.stream.events.flatMap(readable)).includes(text)
  if (has()) return
  await exchange.stream.until(has, `The message ${JSON.stringify(text)}`)
}

/** Waits until progress with at least this value came on the stream. */
export async function awaitProgress(exchange: Exchange, value: number): Promise<void> {
  const has = () => progressIn(exchange.stream.events.flatMap(readable)).some((progress) => progress >= value)
  if (has()) return
  await exchange.stream.until(has, `Progress ${value}`)
}

export async function expectAlive(session: Session): Promise<void> {
  const response = await session.request('ping')
  expectThat(response.result !== undefined, `Expected the session to answer a ping, got ${JSON.stringify(response)}`)
}

/** POSTs a ping with an id of its own. */
export function freshPing(): Message {
  return request('ping')
}

/** Calls `burst`, with a progress token, and expects an event stream. */
export async function burst(
  session: Session,
  args: { count: number; delayMs?: number },
  options: { id?: string | number; progressToken?: string | number } = {},
): Promise<Call> {
  const call = await session.call('burst', { delayMs: 0, ...args }, { progressToken: 'burst', ...options })
  expectThat(
    call.exchange.isEventStream,
    `Expected an event stream for a call with progress, got status ${call.exchange.status} ${call.exchange.contentType}`,
  )
  return call
}

/** The standalone stream, with a first message on it, so that there is an id to resume from. */
export async function listenWithEvent(session: Session): Promise<{ exchange: Exchange; lastEventId: string }> {
  const exchange = await session.listen()
  await session.text('push', { count: 1, text: 'first' })
  await awaitLog(exchange, 'first:1')
  return { exchange, lastEventId: exchange.stream.lastEventId ?? fail('Expected the pushed event to have an id') }
}

/** How many responses with this id are in `messages`. */
export function countResponses(messages: readonly Message[], id: unknown): number {
  return messages.filter((message) => isResponse(message) && message.id === id).length
}

/** JSON-RPC messages of events on a stream so far; those that are no JSON are left to the requirement about it. */
export function messagesOn(exchange: Exchange): Message[] {
  return exchange.isEventStream ? exchange.stream.events.flatMap(readable) : []
}
