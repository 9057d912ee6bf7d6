import { randomBytes } from 'node:crypto'
import type { Call, Exchange } from './exchange.ts'
import { Stream } from './stream.ts'
import { type Json, type Message, Refusal, type RequestId, type Settings } from './wire.ts'

/** A place in a stream, as an event id names it. */
export interface Place {
  readonly stream: Stream
  /** How many of the stream's events the client has. */
  readonly after: number
}

interface Asked {
  resolve(result: Json): void
  reject(error: Error): void
}

/** What `initialize` settled. */
export interface Handshake {
  readonly version: string
  readonly clientCapabilities: Json
  readonly initializeId: RequestId
  /** Who opened the session; `undefined` where nobody is asked for a token. */
  readonly owner: string | undefined
}

/** Everything one client has here. Nothing in it is reached without the session's id. */
export class Session {
  readonly id: string
  readonly handshake: Handshake
  readonly calls = new Set<Call>()
  readonly standalone: Stream
  /** Of a call that was cancelled after its connection was lost. */
  lost: Stream | undefined
  readonly streams: Stream[] = []
  readonly subscriptions = new Set<string>()
  /** Ids of calls that were answered on a stream. */
  readonly answered = new Set<RequestId>()
  /** Progress token of the latest call that named one. */
  latestToken: RequestId | undefined
  logLevel = 'debug'
  isInitialized = false
  lastSeenAt = Date.now()
  plainGets = 0
  /** By a DELETE that another node has got. */
  isEndedElsewhere = false
  readonly defects: Settings['defects']
  readonly #settings: Settings
  /** Every session of the server. Only doubles look at it: those that mix sessions up. */
  readonly #all: ReadonlyMap<string, Session>
  readonly #places = new Map<string, Place>()
  readonly #asked = new Map<RequestId, Asked>()
  readonly #answeredQuestions = new Set<RequestId>()
  #lastAskedId = 0
  #lastTag = 0

  constructor(id: string, handshake: Handshake, all: ReadonlyMap<string, Session>, settings: Settings) {
    this.id = id
    this.handshake = handshake
    this.#all = all
    this.#settings = settings
    this.defects = settings.defects
    this.standalone = this.openStream()
  }

  get version(): string {
    return this.handshake.version
  }

  get isBusy(): boolean {
    return this.calls.size > 0 || this.streams.some((stream) => stream.isConnected)
  }

  get #others(): Session[] {
    return [...this.#all.values()].filter((session) => session !== this)
  }

  touch(): void {
    this.lastSeenAt = Date.now()
  }

  openStream(): Stream {
    const stream = new Stream(this, String(this.#lastTag++), this.#settings)
    this.streams.push(stream)
    return stream
  }

  /** Sends a message that belongs to no call (Listening 4). */
  push(message: Message): void {
    const { defects } = this
    if (defects.has('push-fails-before-the-first-get') && !this.standalone.hasConnected) throw new Error('No stream')
    this.standalone.append(message)
    if (defects.has('pushes-reach-every-session')) for (const other of this.#others) other.standalone.append(message)
  }

  /** An event id never issued before. It carries the stream, and enough chance that nobody guesses it. */
  nameEvent(place: Place, tag: string, name = randomBytes(4).toString('hex')): string {
    if (this.defects.has('event-id-opens-a-dead-stream')) return ''
    const isSpaced = this.defects.has('event-ids-have-spaces')
    const eventId = name === 'fifth' || name === 'response' ? name : [tag, place.after, name].join(isSpaced ? ' ' : '.')
    this.#places.set(eventId, place)
    return eventId
  }

  /** Where an event id points. Only this session's ids are known here. */
  find(eventId: string): Place {
    const place = this.#places.get(eventId) ?? this.#findLoosely(eventId)
    const isOld = this.streams.length > 3 && place && !this.streams.slice(-2).includes(place.stream)
    if (isOld && !place.stream.isStandalone && this.defects.has('older-streams-cannot-be-resumed')) {
      throw new Refusal(400, 'Unknown event id')
    }
    if (!place) throw new Refusal(400, 'Unknown event id')
    return place
  }

  knows(eventId: string): boolean {
    return this.#places.has(eventId)
  }

  /** Where an id points that this session never gave out: nowhere. */
  #findLoosely(eventId: string): Place | undefined {
    const { defects } = this
    const owner = this.#others.find((session) => session.knows(eventId))
    if (owner) return defects.has('event-ids-cross-sessions') ? owner.find(eventId) : undefined
    const match = /^(\d+)\.(\d+)/.exec(eventId)
    if (!match) {
      const isAnything = defects.has('garbage-event-id-starts-anew')
      return isAnything ? { stream: this.standalone, after: 0 } : undefined
    }
    const [, tag, after] = match
    const isWellFormed = /^\d+\.\d+\.[0-9a-f]+$/.test(eventId)
    const places = [
      ...(defects.has('guessed-event-ids-cross-sessions') && isWellFormed ? this.#others : []),
      ...(defects.has('forged-event-ids-are-mapped') ? [this] : []),
    ]
    const stream = places.flatMap(({ streams }) => streams).find((candidate) => candidate.tag === tag)
    return stream && { stream, after: Number(after) }
  }

  /** Another session's exchange with a request of the same id. */
  twinOf(exchange: Exchange): Exchange | undefined {
    const ids = [...this.calls].filter((call) => call.exchange === exchange).map(({ id }) => id)
    return this.#others.flatMap(({ calls }) => [...calls]).find(({ id }) => ids.includes(id))?.exchange
  }

  /** Asks the client, over whatever `send` reaches, and waits for the answer. */
  async ask(
    method: string,
    params: Json,
    send: (message: Message) => void,
    { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
  ): Promise<Json> {
    const { defects } = this
    signal.throwIfAborted()
    const id = defects.has('question-ids-repeat') ? 1 : ++this.#lastAskedId
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', cancel)
        this.#asked.delete(id)
      }
      const giveUp = (reason: string): void => {
        settle()
        send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason } })
        reject(new Error(reason))
      }
      const cancel = (): void => {
        if (!defects.has('cancelled-question-stays')) giveUp('The call was cancelled')
      }
      const expire = (): void => {
        if (defects.has('timed-out-question-succeeds')) resolve({ action: 'accept', content: {} })
        giveUp('The client did not answer in time')
      }
      const timer = setTimeout(expire, timeoutMs)
      signal.addEventListener('abort', cancel, { once: true })
      this.#asked.set(id, {
        resolve(result) {
          settle()
          resolve(result)
        },
        reject(error) {
          settle()
          reject(error)
        },
      })
      send({ jsonrpc: '2.0', id, method, params })
    })
  }

  /** The client's answer. Only what this session was asked, and was not yet answered, is accepted. */
  takeAnswer(message: Message): void {
    const { defects } = this
    const { id, result, error } = message
    const asked = id === undefined ? undefined : this.#asked.get(id)
    if (asked && id !== undefined) {
      this.#answeredQuestions.add(id)
      if (error) asked.reject(new Error(`The client answered with an error: ${error.message}`))
      else asked.resolve(result ?? {})
      return
    }
    const other = defects.has('answers-cross-sessions') ? this.#others.find(({ awaits }) => awaits(id)) : undefined
    if (other) return other.takeAnswer(message)
    const isRepeated = id !== undefined && this.#answeredQuestions.has(id)
    if (isRepeated && defects.has('repeated-answer-fails')) throw new Error('No such request')
    throw new Refusal(defects.has('unknown-answer-is-200') ? 200 : 400, 'No such request is waiting for an answer')
  }

  readonly awaits = (id: RequestId | undefined): boolean => id !== undefined && this.#asked.has(id)

  /** Cancels a call of this session. Ids are compared with their type: cancelling 5 leaves "5" alone. */
  cancel(requestId: unknown): void {
    const { defects } = this
    const isMeant = ({ id }: Call): boolean =>
      id === requestId || (defects.has('cancel-compares-ids-as-text') && String(id) === String(requestId))
    const sessions = defects.has('cancel-crosses-sessions') ? [this, ...this.#others] : [this]
    const meant = sessions.flatMap(({ calls }) => [...calls]).filter(isMeant)
    if (meant.length === 0 && defects.has('cancel-of-nothing-refused')) throw new Refusal(400, 'No such call')
    const isLate = typeof requestId === 'string' && this.answered.has(requestId)
    if (meant.length === 0 && isLate && defects.has('late-cancel-fails')) throw new Error('No such call')
    for (const call of meant) call.cancel('client')
    if (meant.length > 0 && defects.has('cancel-is-200')) throw new Refusal(200, 'Cancelled')
  }

  /** Ends everything: calls are aborted, streams get their EOF. */
  end(): void {
    const { defects } = this
    if (!defects.has('delete-leaves-calls-running')) for (const call of this.calls) call.cancel('session')
    const isSpared =
      defects.has('get-outlives-the-session') ||
      (this.isEndedElsewhere && defects.has('get-outlives-a-delete-elsewhere'))
    for (const stream of this.streams) {
      if (!(stream.isStandalone && isSpared)) stream.end()
    }
  }
}
