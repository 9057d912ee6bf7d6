import type { HeaderChanges } from '../client/http.ts'
import { initialize, type Json, type Message } from '../client/json-rpc.ts'
import { modernHeaders, modernRequest } from '../client/modern.ts'
import { postHeaders } from '../client/session.ts'

export const newestVersion = '2025-11-25'

/** What every server of an era answers, whoever asks: any node takes it, and it changes nothing. */
export interface Greeting {
  readonly method: 'initialize' | 'server/discover'
  /** `meta` is added to its `_meta`. */
  message(meta?: Json): Message
  headers(changes?: HeaderChanges): HeaderChanges
}

/** Of a client that can do nothing: the server asks it nothing. */
export const legacyGreeting: Greeting = {
  method: 'initialize',
  message(meta) {
    const message = initialize(newestVersion, {})
    return meta === undefined ? message : { ...message, params: { ...message.params, _meta: meta } }
  },
  headers: postHeaders,
}

export const modernGreeting: Greeting = {
  method: 'server/discover',
  message: (meta = {}) => modernRequest('server/discover', {}, { meta }),
  headers: (changes) => modernHeaders(modernGreeting.message(), changes),
}
