import type { ServerResponse } from 'node:http'
import { openStream, writeEvent } from './modern-answer.ts'
import { type ModernDefects, ModernRefusal, type ModernRequest, metaKeys } from './modern-wire.ts'
import { isObject, type Json, type Message, type RequestId, writeJson } from './wire.ts'

/** What can be told of, by the member of the filter that asks for it. */
const methods: Readonly<Record<string, string>> = {
  toolsListChanged: 'notifications/tools/list_changed',
  promptsListChanged: 'notifications/prompts/list_changed',
  resourcesListChanged: 'notifications/resources/list_changed',
}

interface Subscription {
  readonly id: RequestId
  readonly filter: Json
  readonly response: ServerResponse
}

/** Everybody who listens. */
export class Subscriptions {
  readonly #open = new Set<Subscription>()
  readonly #defects: ModernDefects
  readonly #keepAlive: NodeJS.Timeout

  constructor(defects: ModernDefects, keepAliveMs: number) {
    this.#defects = defects
    const isSilent = defects.has('modern-listeners-are-not-kept-alive')
    const comment = (): void => {
      for (const { response } of this.#open) if (!isSilent) response.write(': keep-alive\n\n')
    }
    this.#keepAlive = setInterval(comment, keepAliveMs)
  }

  open({ id, params }: ModernRequest, response: ServerResponse): void {
    const { notifications } = params
    if (!isObject(notifications)) throw new ModernRefusal(200, -32602, 'Expected notifications to be a filter')
    const filter = honoured(notifications)
    const subscription = { id, filter, response }
    const extra = this.#defects.has('modern-acknowledges-unasked-types') ? { promptsListChanged: true } : {}
    const told = { notifications: { ...extra, ...filter } }
    const acknowledgement = this.#stamp('notifications/subscriptions/acknowledged', told, id)
    if (this.#defects.has('modern-listen-is-json')) return writeJson(response, 200, acknowledgement)
    openStream(response, this.#defects)
    if (this.#defects.has('modern-change-before-acknowledgement')) {
      writeEvent(response, this.#stamp('notifications/tools/list_changed', {}, id), this.#defects)
    }
    writeEvent(response, acknowledgement, this.#defects)
    this.#open.add(subscription)
    response.once('close', () => this.#leave(subscription))
  }

  /** Tells everybody who asked for this type of change. */
  announce(type: keyof typeof methods): void {
    for (const { id, filter, response } of this.#open) {
      const isAsked = filter[type] === true || this.#defects.has('modern-unasked-types-are-sent')
      if (!isAsked) continue
      writeEvent(response, this.#stamp(methods[type] ?? '', {}, id), this.#defects)
    }
  }

  update(uri: string): void {
    for (const { id, filter, response } of this.#open) {
      const uris = Array.isArray(filter.resourceSubscriptions) ? filter.resourceSubscriptions : undefined
      const isAsked = uris?.includes(uri) || (uris && this.#defects.has('modern-every-resource-is-told'))
      if (isAsked) writeEvent(response, this.#stamp('notifications/resources/updated', { uri }, id), this.#defects)
    }
  }

  /** Only doubles send what belongs to another request. */
  leak(message: Message): void {
    for (const { response } of this.#open) writeEvent(response, message, this.#defects)
  }

  dropAll(): void {
    for (const { response } of this.#open) response.end()
  }

  /** Graceful Closure: a result, and then the end. */
  close(): void {
    clearInterval(this.#keepAlive)
    for (const { id, response } of this.#open) {
      const result = { resultType: 'complete', _meta: { [metaKeys.subscription]: id } }
      writeEvent(response, { jsonrpc: '2.0', id, result }, this.#defects)
      response.end()
    }
    this.#open.clear()
  }

  #leave(subscription: Subscription): void {
    this.#open.delete(subscription)
    if (!this.#defects.has('modern-closing-one-ends-its-twin')) return
    for (const { filter, response } of this.#open) {
      if (JSON.stringify(filter) === JSON.stringify(subscription.filter)) response.end()
    }
  }

  #stamp(method: string, params: Json, id: RequestId): Message {
    const isAcknowledgement = method.endsWith('/acknowledged')
    if (!isAcknowledgement && this.#defects.has('modern-changes-have-no-subscription')) {
      return { jsonrpc: '2.0', method, params }
    }
    const isText = isAcknowledgement && this.#defects.has('modern-subscription-ids-become-text')
    return {
      jsonrpc: '2.0',
      method,
      params: { ...params, _meta: { [metaKeys.subscription]: isText ? String(id) : id } },
    }
  }
}

/** The subset of a filter that this server grants: all that it knows. */
function honoured(asked: Json): Json {
  const filter: Record<string, unknown> = {}
  for (const type of Object.keys(methods)) {
    if (asked[type] === true) filter[type] = true
  }
  const uris: unknown = asked.resourceSubscriptions
  if (Array.isArray(uris)) filter.resourceSubscriptions = uris
  return filter
}
