import { randomUUID } from 'node:crypto'
import { readable } from './event-reader.ts'
import type { Exchange } from './exchange.ts'
import { expectEqual, expectStatus, expectThat, fail, notTestable, SetupFailure, setUp } from './expect.ts'
import type { HeaderChanges, HttpClient } from './http.ts'
import { type Id, isObject, isResponse, type Message, request, toolCall } from './json-rpc.ts'
import { Call, Session } from './session.ts'
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

/** Texts that the tool `push` has sent, in order. A server may log other things on the same stream, whenever it likes. */
export function pushedIn(messages: readonly Message[]): string[] {
  return logsIn(messages).filter((text) => /^\w+:\d+$/.test(text))
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

/**
 * A GET opens a stream or is answered 405. What a plain one is answered is for `endpoint/get-is-event-stream-or-405` to
 * judge, not for each check that has one.
 */
export async function expectListening(exchange: Exchange, open: () => Promise<Session>, what: string): Promise<void> {
  const allowed = [200, 405]
  if (!allowed.includes(exchange.status)) {
    const plain = await (await open()).get()
    if (plain.status === exchange.status) notTestable(`a plain GET is answered ${plain.status} as well`)
  }
  expectStatus(exchange, allowed, what)
}

export async function expectAlive(session: Session): Promise<void> {
  const response = await session.request('ping')
  expectThat(response.result !== undefined, `Expected the session to answer a ping, got ${JSON.stringify(response)}`)
}

/** Ends the session; the checks that need one that has ended cannot go on without. */
export async function endSession(session: Session): Promise<void> {
  const exchange = await session.delete()
  if (!exchange.ok) notTestable(`DELETE of a session is answered ${exchange.status}`)
}

/** A session that is served on after its DELETE is for the requirement about that: it shows nothing of what follows an end. */
export async function needEnded(session: Session): Promise<void> {
  const used = await session.post(freshPing())
  if (used.ok) notTestable('a session is served on after its DELETE')
}

/** Ends the session, and makes sure of it. */
export async function endForGood(session: Session): Promise<void> {
  await endSession(session)
  await needEnded(session)
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
  const sent = session.call('burst', { delayMs: 0, ...args }, { progressToken: 'burst', ...options })
  const call = await setUp('a call of `burst`', sent)
  await expectStreamed(call.exchange)
  return call
}

/** Of a role: "reports progress at least three times". */
const promisedReports = 3

/** A call of a tool that reports progress. */
export class ProgressCall extends Call {
  readonly token: Id
  /** How often the tool reports at least. */
  readonly least: number
  readonly #session: Session

  constructor(exchange: Exchange, call: { session: Session; id: Id; token: Id; least: number }) {
    super(exchange, call.id)
    this.token = call.token
    this.least = call.least
    this.#session = call.session
  }

  /** Its progress so far, on whichever streams of the session: which one it should be on is a requirement of its own. */
  get progress(): number[] {
    return progressIn(
      this.#session.received.map(({ message }) => message),
      this.token,
    )
  }

  /** Waits until it has reported at least `count` times. */
  async awaitReports(count: number): Promise<void> {
    if (count > this.least) notTestable(`the call is one of ${this.least} reports`)
    const came = await this.#session.until(() => this.progress.length >= count)
    if (!came) throw new SetupFailure(`the progress notification ${count} of a call did not come`)
  }

  /** Its response, which the check needs. */
  async finish(): Promise<this> {
    await setUp('the response to a call', this.response())
    await this.exchange.stream.endsWithin(1_000)
    return this
  }
}

export interface ProgressOptions {
  /** As the arguments of `burst`. @default 3 */
  readonly count?: number
  /** @default 0 */
  readonly delayMs?: number
  readonly id?: Id
  /** @default one of its own */
  readonly progressToken?: Id
}

let tokens = 0

/**
 * A request that is answered by a stream, and how often the server reports on it at least: a call of `burst` or of the
 * tool that plays `progress`, and where the server has neither, what it answers by a stream anyway.
 */
export function progressMessage(session: Session, options: ProgressOptions = {}): { message: Message; least: number } {
  const { count = promisedReports, delayMs = 0, id, progressToken = `progress-${++tokens}` } = options
  const ids = id === undefined ? { progressToken } : { progressToken, id }
  const { roles } = session.client.settings
  if (roles?.has('burst')) return { message: toolCall('burst', { count, delayMs }, ids), least: count }
  if (roles?.has('progress')) return { message: toolCall('progress', {}, ids), least: promisedReports }
  return { message: request('tools/list', { _meta: { progressToken } }, ...(id === undefined ? [] : [id])), least: 0 }
}

/**
 * Sends {@link progressMessage}. How often a tool that plays `progress` reports is its own affair: checks compare with what
 * came, or with `least`. Resolves when the head of the answer came.
 */
export async function progressCall(session: Session, options: ProgressOptions = {}): Promise<ProgressCall> {
  const { message, least } = progressMessage(session, options)
  // Of a tool of somebody else's, reports may come on any stream.
  if (message.params?.name === 'progress') await session.ensureListening()
  const exchange = await setUp('a call with progress', session.post(message))
  await expectStreamed(exchange)
  const token = message.params?._meta
  return new ProgressCall(exchange, { session, id: message.id ?? '', token: tokenIn(token), least })
}

function tokenIn(meta: unknown): Id {
  const { progressToken } = isObject(meta) ? meta : {}
  return typeof progressToken === 'string' || typeof progressToken === 'number' ? progressToken : ''
}

/** A server may answer a call with JSON, even when it has answered another one with a stream. */
async function expectStreamed(exchange: Exchange): Promise<void> {
  await setUp('the answer to a call', exchange.begun())
  if (exchange.isEventStream) return
  if (exchange.ok && exchange.contentType === 'application/json') notTestable('the call is answered with JSON')
  throw new SetupFailure(`a call with progress is answered ${exchange.status} ${exchange.contentType ?? ''}`.trimEnd())
}

/** Expects no progress of another call on its stream. */
export function expectOwn({ exchange, token }: ProgressCall, what: string): void {
  const reports = messagesOn(exchange).filter(({ method }) => method === 'notifications/progress')
  const foreign = reports.filter(({ params }) => params?.progressToken !== token)
  expectEqual(foreign, [], `the progress of other calls on ${what}`)
}

/** Progress must rise (Progress, Behavior 4), so whatever came twice or in another order shows in the values. */
export function expectComplete(values: readonly number[], least: number, what: string): void {
  const rises = values.every((value, index) => index === 0 || value > (values[index - 1] ?? 0))
  expectThat(rises, `Expected ${what} to rise, got ${JSON.stringify(values)}`)
  expectThat(values.length >= least, `Expected ${what} to have at least ${least} values, got ${JSON.stringify(values)}`)
}

/**
 * Expects that calls at once, whose ids nothing confuses, get each their own progress: where they do not, what comes of
 * calls with ids that are alike is no matter of the ids. That is for another requirement.
 */
export async function expectUnmixed(calls: readonly Promise<ProgressCall>[]): Promise<void> {
  for (const call of await Promise.all(calls)) {
    await setUp('the response to one of several calls', call.response())
    const { progress, least } = call
    const isOwn = progress.length >= least && progress.every((value, index) => value > (progress[index - 1] ?? -1))
    if (!isOwn) notTestable('calls at once get the progress of one another, whatever their ids')
  }
}

/** The same session, reached in another way: over another node, or through a proxy. */
export function sessionVia(client: HttpClient, session: Session, headers: HeaderChanges = {}): Session {
  return new Session(client, { id: session.id, response: session.initializeResponse, headers })
}

/** The standalone stream, with a first message on it, so that there is an id to resume from. */
export async function listenWithEvent(session: Session): Promise<{ exchange: Exchange; lastEventId: string }> {
  const exchange = await session.listen()
  const pushed = session.text('push', { count: 1, text: 'first' }).then(() => awaitLog(exchange, 'first:1'))
  await setUp('a message on the stream of GET', pushed)
  return { exchange, lastEventId: exchange.stream.lastEventId ?? notTestable('pushed events have no id') }
}

/** How many responses with this id are in `messages`. */
export function countResponses(messages: readonly Message[], id: unknown): number {
  return messages.filter((message) => isResponse(message) && message.id === id).length
}

/** JSON-RPC messages of events on a stream so far; those that are no JSON are left to the requirement about it. */
export function messagesOn(exchange: Exchange): Message[] {
  return exchange.isEventStream ? exchange.stream.events.flatMap(readable) : []
}
