import type { MessageBus } from '../backplane/backplane.ts'
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
}

/** Carries messages between the nodes of one deployment, this one included. */
export class NodeMessages {
  readonly #bus: MessageBus
  readonly #listening: Promise<() => unknown>

  constructor(bus: MessageBus, hearer: NodeMessageHearer, onError: (error: unknown) => void) {
    this.#bus = bus
    const hear = (text: string): void => {
      try {
        const message = readNodeMessage(text)
        if (message?.type === 'end') hearer.sessionEnded(message.sessionKey)
        else if (message) hearer.notify(message.notification, message.sessionKey)
      } catch (error) {
        onError(error)
      }
    }
    this.#listening = subscribe(bus, hear)
    this.#listening.catch(onError)
  }

  /** Rejects when the bus cannot be listened to or written to. */
  async publish(message: NodeMessage): Promise<void> {
    await this.#listening
    await this.#bus.publish(channel, JSON.stringify({ version, ...message }))
  }

  async close(): Promise<void> {
    const unsubscribe = await this.#listening.catch(() => undefined)
    await unsubscribe?.()
  }
}

async function subscribe(bus: MessageBus, listener: (text: string) => void): Promise<() => unknown> {
  return bus.subscribe(channel, listener)
}
