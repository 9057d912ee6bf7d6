import type { MessageBus } from '../backplane/backplane.ts'
import { expected } from '../option-checks.ts'
import { unref } from '../promises/unref.ts'
import type { JsonRpcNotification } from '../rpc/json-rpc.ts'

/** A message between nodes. */
export type NodeMessage =
  /** A notification for every session, or for one. */
  | { readonly type: 'notify'; readonly notification: JsonRpcNotification; readonly sessionKey?: string }
  /** A session has ended: it ends wherever it lives. */
  | { readonly type: 'end'; readonly sessionKey: string }

/** Raised when an older node would misread a message. Nodes of two versions share a bus during a deploy. */
const version = 1

const channel = 'mcp-http'

/**
 * What `endpoint.notify` publishes, for who publishes it in a way of its own, as in a transaction of the application.
 */
export function toBusMessage(
  notification: { method: string; params?: Record<string, unknown> },
  to?: { sessionKey?: string },
): { channel: string; message: string } {
  return { channel, message: writeNodeMessage(toNotify(notification, to)) }
}

/**
 * @throws TypeError for what is no notification, and for a receiver without a key: what is meant for one session must not go
 * to all.
 */
export function toNotify(
  notification: { method: string; params?: Record<string, unknown> },
  to: { sessionKey?: string } = {},
): NodeMessage {
  const { method, params } = isObject(notification) ? notification : {}
  if (typeof method !== 'string') throw expected("a notification, as { method: 'notifications/…' }", notification)
  if (params !== undefined && !isObject(params)) throw expected('params of a notification to be an object', params)
  const [wrong] = Object.entries(to).find(([name, value]) => name !== 'sessionKey' || typeof value !== 'string') ?? []
  if (wrong !== undefined) throw expected('a receiver as { sessionKey: await sessionKey(sessionId) }', to)
  return { type: 'notify', notification: toNotification(method, params), ...to }
}

function writeNodeMessage(message: NodeMessage): string {
  return JSON.stringify({ version, ...message })
}

type Members = Readonly<Record<string, unknown>>

/**
 * Reads a message from the bus, which others may write to as well. `undefined`: of a version or type that this node
 * does not know, and so not for it.
 * @throws TypeError for a message of a known version and type that is malformed
 */
export function readNodeMessage(text: string): NodeMessage | undefined {
  const message: unknown = JSON.parse(text)
  if (!isObject(message))
    throw new TypeError(`Expected a message between nodes to be an object, got ${text.slice(0, 100)}`)
  if (message.version !== version) return undefined
  if (message.type === 'notify') return readNotify(message)
  if (message.type === 'end') return { type: 'end', sessionKey: readText('sessionKey', message.sessionKey) }
  return undefined
}

/** Makes the notification anew of its own members: nothing else in the message reaches a client. */
function readNotify({ notification, sessionKey }: Members): NodeMessage {
  const { method, params } = isObject(notification) ? notification : {}
  if (params !== undefined && !isObject(params))
    throw new TypeError('Expected params of a notification to be an object')
  const read = toNotification(readText('method', method), params)
  return sessionKey === undefined
    ? { type: 'notify', notification: read }
    : { type: 'notify', notification: read, sessionKey: readText('sessionKey', sessionKey) }
}

export function toNotification(method: string, params: Members | undefined): JsonRpcNotification {
  return params ? { jsonrpc: '2.0', method, params } : { jsonrpc: '2.0', method }
}

function readText(name: string, value: unknown): string {
  if (typeof value === 'string') return value
  throw new TypeError(`Expected ${name} of a message between nodes to be a string, got ${typeof value}`)
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What the messages are for. */
export interface NodeMessageHearer {
  notify(notification: JsonRpcNotification, sessionKey?: string): void
  sessionEnded(sessionKey: string): void
  /** Messages may have been lost. */
  missed(): void
}

/** Time, in milliseconds, after which a bus that could not be listened to is tried again. */
const retryMs = 2_000

/** Carries messages between the nodes of one deployment, this one included. */
export class NodeMessages {
  readonly #bus: MessageBus
  readonly #hear: (text: string) => void
  readonly #missed: () => void
  readonly #onError: (error: unknown) => void
  /** `undefined` between two attempts. */
  #listening: Promise<() => unknown> | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  /** It could not be listened to until now. */
  #wasDeaf = false
  #isClosed = false

  constructor(bus: MessageBus, hearer: NodeMessageHearer, onError: (error: unknown) => void) {
    this.#bus = bus
    this.#onError = onError
    this.#missed = () => hearer.missed()
    this.#hear = (text) => {
      try {
        const message = readNodeMessage(text)
        if (message?.type === 'end') hearer.sessionEnded(message.sessionKey)
        else if (message) hearer.notify(message.notification, message.sessionKey)
      } catch (error) {
        onError(error)
      }
    }
    this.#listen().catch(onError)
  }

  /** Rejects when the bus cannot be listened to or written to. */
  async publish(message: NodeMessage): Promise<void> {
    await this.#listen()
    await this.#bus.publish(channel, writeNodeMessage(message))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#retry)
    const unsubscribe = await this.#listening?.catch(() => undefined)
    await unsubscribe?.()
  }

  #listen(): Promise<() => unknown> {
    clearTimeout(this.#retry)
    this.#listening ??= this.#subscribe().catch((error) => {
      this.#listening = undefined
      this.#wasDeaf = true
      this.#listenLater()
      throw error
    })
    return this.#listening
  }

  async #subscribe(): Promise<() => unknown> {
    const stop = await this.#bus.subscribe(channel, this.#hear, this.#missed)
    if (this.#wasDeaf) this.#missed()
    this.#wasDeaf = false
    return stop
  }

  /** A database that starts after its nodes is to be heard as well. */
  #listenLater(): void {
    if (this.#isClosed) return
    const timer = setTimeout(() => this.#listen().catch(this.#onError), retryMs)
    unref(timer)
    this.#retry = timer
  }
}
