import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { authenticate, checkScopeOfTool } from './auth.ts'
import { parseBody, readBody } from './body.ts'
import { checkModernHead } from './guard.ts'
import { ModernAnswer } from './modern-answer.ts'
import { answerModern } from './modern-methods.ts'
import { Subscriptions } from './modern-subscriptions.ts'
import type { ModernCall } from './modern-tools.ts'
import { readModern } from './modern-validation.ts'
import { idOf, ModernRefusal, type ModernRequest, modernVersion, writeRefusal } from './modern-wire.ts'
import type { World } from './tools.ts'
import { type Json, type Message, Refusal, type RequestId, type Settings } from './wire.ts'

/** The half of the endpoint that speaks 2026-07-28: every request stands for itself. */
export class ModernEndpoint {
  /** Whether any client of 2026-07-28 came. */
  hasServed = false
  readonly #settings: Settings
  readonly #world: World
  readonly #subscriptions: Subscriptions
  readonly #running = new Set<ModernAnswer>()
  /** Only doubles remember anything of a connection, or of an id. */
  readonly #remembered = new WeakMap<Socket, Partial<ModernRequest>>()
  readonly #byId = new Map<RequestId, Message>()

  constructor(settings: Settings, world: World) {
    const defects = new Set([...settings.defects].filter((defect) => defect.startsWith('modern-')))
    this.#settings = { ...settings, defects }
    this.#world = world
    this.#subscriptions = new Subscriptions(defects, settings.keepAliveMs)
  }

  close(): void {
    this.#subscriptions.close()
  }

  /** What a client of 2026-07-28 sends says so in its head: by the version, or by the header that mirrors the method. */
  isMeant({ method, headers }: IncomingMessage): boolean {
    if (this.#settings.modernOnly) return true
    if (method !== 'POST') return false
    return headers['mcp-protocol-version'] === modernVersion || headers['mcp-method'] !== undefined
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { defects, modernOnly } = this.#settings
    this.hasServed = true
    let value: unknown
    try {
      if (request.method !== 'POST') throw refuseMethod(this.#settings)
      checkModernHead(request, this.#settings)
      this.#authenticate(request)
      this.#checkEarlierHeaders(request, response)
      value = parseBody(await readBody(request, this.#settings), request, this.#settings)
      const read = readModern(value, request, { defects, isOnly: modernOnly })
      if (!read) return void response.writeHead(defects.has('modern-notification-is-200') ? 200 : 202).end()
      checkScopeOfTool(request, value, this.#settings)
      const message = this.#recall(read, request)
      if (message.method === 'subscriptions/listen') return this.#subscriptions.open(message, response)
      await this.#answer(message, request, response)
    } catch (error) {
      writeRefusal(response, toRefusal(error), idOf(value, defects))
    }
  }

  #authenticate(request: IncomingMessage): void {
    const hasToken = request.headers.authorization !== undefined
    const isSpared = hasToken ? 'modern-tokens-are-not-verified' : 'modern-requests-need-no-token'
    if (!this.#settings.defects.has(isSpared)) authenticate(request, this.#settings)
  }

  async #answer(message: ModernRequest, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { defects, modernOnly } = this.#settings
    const answer = new ModernAnswer(response, defects)
    const call: ModernCall = {
      request: message,
      answer,
      subscriptions: this.#subscriptions,
      world: this.#world,
      defects,
      send: (method, params) => this.#send(answer, method, params),
    }
    this.#running.add(answer)
    try {
      const result = await answerModern(call, { request, isOnly: modernOnly })
      const isEcho = message.method === 'tools/call' && message.params.name === 'echo'
      const collides = isEcho && defects.has('modern-equal-ids-collide')
      const known = collides ? this.#byId.get(message.id) : undefined
      const made = known ?? { jsonrpc: '2.0', id: message.id, result }
      if (collides) this.#byId.set(message.id, made)
      answer.finish(made, message.id)
    } finally {
      this.#running.delete(answer)
      if (message.method === 'server/discover' && defects.has('modern-answers-end-subscriptions')) {
        this.#subscriptions.dropAll()
      }
    }
  }

  /** Request-scoped: on the stream of the request that it is about, and on no other. */
  #send(answer: ModernAnswer, method: string, params: Json): void {
    const { defects } = this.#settings
    const isQuestion = method === 'elicitation/create'
    const message: Message = isQuestion
      ? { jsonrpc: '2.0', id: 'q1', method, params }
      : { jsonrpc: '2.0', method, params }
    answer.send(message)
    if (defects.has('modern-progress-reaches-other-streams') && method === 'notifications/progress') {
      for (const other of this.#running) if (other !== answer) other.send(message)
    }
    if (defects.has('modern-progress-reaches-subscriptions')) this.#subscriptions.leak(message)
  }

  /** Nothing of earlier revisions has a meaning, and no session begins. */
  #checkEarlierHeaders({ headers }: IncomingMessage, response: ServerResponse): void {
    const { defects } = this.#settings
    const sessionId = headers['mcp-session-id']
    if (sessionId === 'never-issued' && defects.has('modern-session-id-is-404')) {
      throw new ModernRefusal(404, -32600, 'Session not found')
    }
    if (sessionId === undefined && defects.has('modern-session-id-is-given')) {
      response.setHeader('mcp-session-id', 'made-up')
    }
    if (sessionId !== undefined && sessionId !== 'never-issued' && defects.has('modern-session-id-is-echoed')) {
      response.setHeader('mcp-session-id', sessionId)
    }
    if (headers['last-event-id'] !== undefined && defects.has('modern-last-event-id-is-400')) {
      throw new ModernRefusal(400, -32600, 'Unknown event id')
    }
  }

  /** What a request says of its client is all that counts. */
  #recall(message: ModernRequest, { socket }: IncomingMessage): ModernRequest {
    const { defects } = this.#settings
    const before = this.#remembered.get(socket) ?? {}
    this.#remembered.set(socket, message)
    const capabilities = defects.has('modern-connection-keeps-capabilities')
      ? { ...before.capabilities, ...message.capabilities }
      : message.capabilities
    const isKept = message.logLevel === undefined && defects.has('modern-connection-keeps-log-level')
    return { ...message, capabilities, logLevel: isKept ? before.logLevel : message.logLevel }
  }
}

function refuseMethod({ defects }: Settings): ModernRefusal {
  const headers: Record<string, string> = defects.has('modern-405-has-no-allow') ? {} : { allow: 'POST' }
  return new ModernRefusal(defects.has('modern-get-is-404') ? 404 : 405, -32600, 'Method not allowed', { headers })
}

function toRefusal(error: unknown): ModernRefusal {
  if (error instanceof ModernRefusal) return error
  if (!(error instanceof Refusal)) return new ModernRefusal(500, -32603, 'Internal error')
  const { status, code, message, headers } = error
  return new ModernRefusal(status, code === -32000 ? -32600 : code, message, { headers })
}
