import { setTimeout as sleep } from 'node:timers/promises'
import type { McpServerLike, SessionContext } from '../../packages/core/src/index.ts'
import { type Events, type Mark, type Played, type Script, type Step, standaloneSeries, toFiller } from '../script.ts'
import type { Breaker, Outgoing } from './breakage.ts'

type MessageId = string | number

interface Message extends Outgoing {
  readonly id?: MessageId
  readonly params?: Outgoing['params'] & Readonly<Record<string, unknown>>
  readonly error?: unknown
}

/** What the endpoint passes with a message. */
interface Extra {
  closeSSEStream?: () => void
  closeStandaloneSSEStream?: () => void
}

interface Transport {
  onmessage: (message: Message, extra: Extra) => void
  onclose: () => void
  start(): Promise<void>
  send(message: unknown, options?: { relatedRequestId: MessageId | undefined }): Promise<void>
  close(): Promise<void>
}

/** One running `play`. */
interface Play {
  readonly id: MessageId
  readonly call: string
  readonly progressToken: unknown
  readonly extra: Extra
  readonly stopped: AbortController
  /** Resolves when it is stopped. */
  readonly aborted: Promise<void>
  sent: number
  readonly asked: Played['asked'][number][]
}

export interface SoakServerParts {
  readonly breaker: Breaker
  readonly foreignAnswers: Pick<string[], 'push'>
}

/** A bare MCP server object: what the endpoint needs of one, and nothing of an SDK that could hide a fault. */
export class SoakServer implements McpServerLike {
  /** The client's name: what every message of the session is marked with. */
  readonly #session: string
  readonly #listChanged: boolean
  readonly #parts: SoakServerParts
  readonly #plays = new Map<MessageId, Play>()
  readonly #questions = new Map<MessageId, (answer: Message) => void>()
  #transport: Transport | undefined
  #questionCount = 0
  #pushed = 0

  constructor({ clientInfo }: SessionContext, parts: SoakServerParts) {
    this.#session = clientInfo?.name ?? 'nobody'
    // With and without a message of the protocol that could tell of a gap.
    this.#listChanged = clientInfo?.version === 'lists'
    this.#parts = parts
  }

  async connect(transport: never): Promise<void> {
    const connected = transport as Transport
    this.#transport = connected
    connected.onmessage = (message, extra) => this.#receive(message, extra)
    connected.onclose = () => {
      for (const { stopped } of this.#plays.values()) stopped.abort()
    }
    await connected.start()
  }

  async close(): Promise<void> {
    await this.#transport?.close()
  }

  #receive(message: Message, extra: Extra): void {
    const { id, method, params } = message
    if (method === undefined) this.#questions.get(id as MessageId)?.(message)
    else if (method === 'notifications/cancelled') this.#plays.get(params?.requestId as MessageId)?.stopped.abort()
    else if (id !== undefined) void this.#answer(id, message, extra)
  }

  async #answer(id: MessageId, { method, params }: Message, extra: Extra): Promise<void> {
    if (method === 'tools/call') return this.#play(id, params as never, extra)
    if (method === 'initialize') return this.#send({ id, result: this.#introduce(params) } as Outgoing, undefined)
    if (method === 'ping') return this.#send({ id, result: {} } as Outgoing, undefined)
    await this.#send({ id, error: { code: -32601, message: 'Method not found' } } as Outgoing, undefined)
  }

  #introduce(params: Message['params']): Record<string, unknown> {
    return {
      protocolVersion: params?.protocolVersion,
      capabilities: { tools: { listChanged: this.#listChanged }, logging: {} },
      serverInfo: { name: 'soak', version: '1' },
    }
  }

  async #play(
    id: MessageId,
    params: { arguments?: Partial<Script>; _meta?: { progressToken?: unknown } },
    extra: Extra,
  ): Promise<void> {
    const { call = '', steps = [], answerSize = 0 } = params.arguments ?? {}
    const stopped = new AbortController()
    const aborted = new Promise<void>((resolve) => stopped.signal.addEventListener('abort', () => resolve()))
    const progressToken = params._meta?.progressToken
    const play: Play = { id, call, progressToken, extra, stopped, aborted, sent: 0, asked: [] }
    this.#plays.set(id, play)
    try {
      for (const step of steps) if (!stopped.signal.aborted) await this.#take(step, play)
      if (stopped.signal.aborted) return
      const mark: Mark = { session: this.#session, series: call, filler: toFiller(answerSize, play.sent) }
      const played: Played = { sent: play.sent, pushed: this.#pushed, asked: play.asked }
      await this.#send({ id, result: { content: [], mark, played } } as Outgoing, undefined)
    } finally {
      this.#plays.delete(id)
    }
  }

  async #take(step: Step, play: Play): Promise<void> {
    if (step.do === 'report') return this.#emit(step.events, play, (size) => this.#report(step.kind, size, play))
    if (step.do === 'push') return this.#emit(step.events, play, (size) => this.#push(size))
    if (step.do === 'ask') return this.#ask(step, play)
    if (step.do === 'sleep') return pause(step.ms, play)
    if (step.do === 'poll') play.extra.closeSSEStream?.()
    else play.extra.closeStandaloneSSEStream?.()
  }

  async #emit({ count, size, paceMs, awaited }: Events, play: Play, emit: (size: number) => Promise<void>) {
    for (let i = 0; i < count && !play.stopped.signal.aborted; i++) {
      // Who is held back by a reader is let go when the call is over.
      if (awaited) await Promise.race([emit(size), play.aborted])
      else void emit(size)
      if (paceMs > 0) await pause(paceMs, play)
    }
  }

  #report(kind: 'progress' | 'message', size: number, play: Play): Promise<void> {
    const mark = this.#mark(play.call, ++play.sent, size)
    const params =
      kind === 'progress'
        ? { progressToken: play.progressToken, progress: play.sent, mark }
        : { level: 'info', data: '', mark }
    return this.#send({ method: `notifications/${kind}`, params }, play.id)
  }

  #push(size: number): Promise<void> {
    const mark = this.#mark(standaloneSeries, ++this.#pushed, size)
    return this.#send(
      { method: 'notifications/message', params: { level: 'info', data: '', mark } as never },
      undefined,
    )
  }

  #mark(series: string, n: number, size: number): Mark {
    return { session: this.#session, series, n, size, filler: toFiller(size, n) }
  }

  /** Puts a question, and hears its answer, that the client cannot be asked, or nothing in time. */
  async #ask({ on, method, timeoutMs }: Extract<Step, { do: 'ask' }>, play: Play): Promise<void> {
    const id = this.#questionCount++
    const related = on === 'call' ? play.id : undefined
    const nonce = `${this.#session} ${play.call} ${id}`
    const mark = { ...(on === 'call' ? this.#mark(play.call, ++play.sent, 0) : { session: this.#session }), nonce }
    const answered = new Promise<Message>((resolve) => this.#questions.set(id, resolve))
    await this.#send({ id, method, params: { message: '?', mark } } as Outgoing, related)
    const answer = await Promise.race([answered, pause(timeoutMs, play)])
    this.#questions.delete(id)
    play.asked.push(answer ? this.#judge(answer, nonce) : 'unanswered')
    if (answer || play.stopped.signal.aborted) return
    await this.#send({ method: 'notifications/cancelled', params: { requestId: id } } as Outgoing, related)
  }

  #judge({ result, error }: Message, nonce: string): Played['asked'][number] {
    if (error !== undefined) return 'refused'
    const said = (result as { nonce?: unknown } | undefined)?.nonce
    if (said !== nonce) this.#parts.foreignAnswers.push(`asked "${nonce}", answered ${JSON.stringify(said)}`)
    return 'answered'
  }

  async #send(message: Outgoing, related: MessageId | undefined): Promise<void> {
    const send = async (whole: Outgoing): Promise<void> => {
      await this.#transport?.send({ jsonrpc: '2.0', ...whole }, { relatedRequestId: related })
    }
    await this.#parts.breaker.pass(message, send)
  }
}

/** Waits, unless the call is stopped first. */
async function pause(ms: number, { stopped }: Play): Promise<undefined> {
  // Only the stop ends it early, and then nothing is left to wait for.
  await sleep(ms, undefined, { signal: stopped.signal }).catch(() => undefined)
}
