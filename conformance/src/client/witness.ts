import { modernRevision } from '../requirement.ts'
import { readable, type SseEvent } from './event-reader.ts'
import type { Exchange } from './exchange.ts'
import type { SentExchange, SentRequest } from './http.ts'
import { type Id, isObject, isRequest, isResponse, type Message } from './json-rpc.ts'
import { problemOf } from './message-grammar.ts'
import { takenOverMs } from './waiting.ts'

/** What holds of every message and stream, whatever the check that reads it is about. */
export type Invariant = 'ids' | 'end' | 'schema' | 'place' | 'modern-schema'

const mostFindings = 20

/** Remembered ids and tokens; a run of all checks has some ten thousand. */
const mostRemembered = 100_000

/** Looks on while checks read, and remembers what breaks an {@link Invariant}. */
export class Witness {
  readonly #findings = new Map<Invariant, string[]>()
  /** By session and id. */
  readonly #ids = new Map<string, Seen>()
  /** Sessions by the progress tokens that only they have used. */
  readonly #tokens = new Map<string, string>()
  /** Checks one of whose sessions got the progress of another. */
  readonly #disturbed = new Set<string>()

  /** What was seen to break it; empty when nothing was. */
  findings(invariant: Invariant): readonly string[] {
    return this.#findings.get(invariant) ?? []
  }

  /** Whether a session of this check got the progress of another: what went on in it may be of another check. */
  wasDisturbed(during: string): boolean {
    return this.#disturbed.has(during)
  }

  /** Whether a request has asked for progress under this token. */
  knows(progressToken: unknown): boolean {
    return this.#tokens.has(tokenOf(progressToken) ?? '')
  }

  /** Remembers what a request asks for: progress may come on another stream before its own has begun. */
  asked(request: SentRequest): void {
    if (request.method !== 'POST' || headerOf(request, 'mcp-protocol-version') === modernRevision) return
    const session = headerOf(request, 'mcp-session-id') ?? ''
    for (const { params } of requestsIn(request.body)) {
      const token = tokenOf(isObject(params?._meta) ? params._meta.progressToken : undefined)
      if (token !== undefined) this.#rememberToken(token, session)
    }
  }

  /** Begins to look at an exchange. `during` is the check that it belongs to. */
  watch(sent: SentExchange, during: string): void {
    const { exchange } = sent
    if (!exchange.ok || headerOf(sent, 'mcp-protocol-version') === modernRevision) return
    const watched = new Watched(sent)
    // What is wrong in a request comes back in its response.
    if (watched.requests.some(({ id }) => typeof id !== 'string' && !Number.isInteger(id))) return
    const report = (invariant: Invariant, problem: string) => {
      this.report(invariant, `${problem} (${exchange.what} of ${during})`)
    }
    exchange.stream.onEvent((event) => {
      if (exchange.isEventStream && event.data !== '') this.#seeId(watched, event, report)
    })
    onMessages(exchange, (message) => {
      watched.judge(message, report)
      if (!this.#isForeign(watched, message)) return
      this.#disturbed.add(during)
      report('place', `a session gets the progress of another: ${JSON.stringify(message)}`)
    })
  }

  /** Remembers what broke an invariant, as far as there is room. */
  report(invariant: Invariant, text: string): void {
    const found = this.#findings.get(invariant) ?? []
    this.#findings.set(invariant, found)
    if (found.length < mostFindings) found.push(text)
  }

  #isForeign({ session }: Watched, message: Message): boolean {
    if (message.method !== 'notifications/progress' || session === undefined) return false
    const owner = this.#tokens.get(tokenOf(message.params?.progressToken) ?? '') ?? ''
    return owner !== '' && owner !== session
  }

  /** A resume brings events again under their ids; nothing else may, but a connection that was just taken over. */
  #seeId({ session, isResume }: Watched, { id, data }: SseEvent, report: Report): void {
    if (id === undefined || id === '' || session === undefined || this.#ids.size > mostRemembered) return
    const key = `${session} ${id}`
    const known = this.#ids.get(key)
    if (known === undefined) this.#ids.set(key, { data, resumedAt: isResume ? performance.now() : -Infinity })
    else if (known.data !== data) report('ids', `the id ${JSON.stringify(id)} stands for two events`)
    else if (!isResume && performance.now() - known.resumedAt > takenOverMs) {
      report('ids', `the id ${JSON.stringify(id)} comes twice`)
    }
  }

  /** A token that two sessions use tells nothing. */
  #rememberToken(token: string, session: string): void {
    if (this.#tokens.size > mostRemembered) return
    const owner = this.#tokens.get(token)
    this.#tokens.set(token, owner === undefined || owner === session ? session : '')
  }
}

interface Seen {
  readonly data: string
  /** When a resume brought it first. */
  readonly resumedAt: number
}

type Report = (invariant: Invariant, problem: string) => void

/** One exchange, and what it may bring. */
class Watched {
  readonly exchange: Exchange
  readonly session: string | undefined
  readonly requests: readonly Message[]
  readonly isResume: boolean
  readonly #isPost: boolean
  readonly #isBatch: boolean
  /** Responses that are still to come. */
  #open: number

  constructor(sent: SentExchange) {
    this.exchange = sent.exchange
    // An initialize may name a session that it does not get.
    this.session = sent.exchange.header('mcp-session-id') ?? headerOf(sent, 'mcp-session-id')
    this.#isPost = sent.method === 'POST'
    this.#isBatch = /^\s*\[/.test(sent.body?.subarray(0, 16).toString('utf8') ?? '')
    this.isResume = headerOf(sent, 'last-event-id') !== undefined
    this.requests = this.#isPost ? requestsIn(sent.body) : []
    this.#open = this.requests.length
  }

  judge(message: Message, report: Report): void {
    const text = JSON.stringify(message).slice(0, 300)
    const request = this.requests.find(({ id }) => id === message.id)
    // JSON-RPC wants the id null where there is none to tell, and the schema none at all: that is for one requirement.
    const { id, ...others } = message as Message & { id?: Id | null }
    const problem = problemOf(id === null ? others : message, isResponse(message) ? request?.method : undefined)
    if (problem !== undefined) report('schema', `a message ${problem}: ${text}`)
    if (!this.#isPost) {
      const isLost = isResponse(message) && !this.isResume
      if (isLost) report('place', `a response comes on the stream of GET: ${text}`)
      return
    }
    // Of a batch, each element that is no request has an error of its own.
    const isUnasked = this.#isBatch && isResponse(message) && (id === null || id === undefined)
    if (isUnasked) return
    if (this.#open === 0 && this.requests.length > 0) report('end', `after the response comes ${text}`)
    if (!isResponse(message)) return
    const isForeign = request === undefined && message.id !== undefined && id !== null && this.requests.length > 0
    if (isForeign) report('place', `the response to another request comes: ${text}`)
    else this.#open = Math.max(0, this.#open - 1)
  }
}

function requestsIn(body: Buffer | undefined): Message[] {
  const value = parse(body?.toString('utf8'))
  const items: unknown[] = Array.isArray(value) ? value : [value]
  return items.filter((item): item is Message => isObject(item) && isRequest(item as Message))
}

/** Calls `see` with each message of an answer, be it a stream or JSON, as it comes. */
export function onMessages(exchange: Exchange, see: (message: Message) => void): void {
  exchange.stream.onEvent((event) => {
    if (exchange.isEventStream) for (const message of readable(event)) see(message)
  })
  exchange.onEnd(() => {
    if (!exchange.isEventStream) for (const message of messagesIn(exchange)) see(message)
  })
}

/** None where the body broke off: that is for the check that reads it. */
function messagesIn(exchange: Exchange): Message[] {
  if (exchange.contentType !== 'application/json' || exchange.failure !== undefined) return []
  const value = parse(exchange.received.toString('utf8'))
  const items: unknown[] = Array.isArray(value) ? value : [value]
  return items.filter((item): item is Message => isObject(item) && 'jsonrpc' in item)
}

function parse(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    // No JSON: whether it should be, a requirement says.
    return undefined
  }
}

/** `undefined` for what is no token. Numbers and texts are told apart. */
function tokenOf(token: unknown): string | undefined {
  return typeof token === 'string' || typeof token === 'number' ? JSON.stringify(token) : undefined
}

function headerOf({ headers }: SentRequest, name: string): string | undefined {
  const index = headers.findIndex((text, at) => at % 2 === 0 && text.toLowerCase() === name)
  return index < 0 ? undefined : headers[index + 1]
}
