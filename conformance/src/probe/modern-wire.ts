import type { Exchange } from '../client/exchange.ts'
import type { Message } from '../client/json-rpc.ts'
import { modernHeaders, modernRequest } from '../client/modern.ts'
import { withCastTools } from '../roles.ts'
import { type ProgressCall, Wire } from './wire.ts'

/** The way to a server of 2026-07-28 alone: no sessions, no GET. */
export class ModernWire extends Wire {
  override async callWithProgress(headers: Readonly<Record<string, string>> = {}): Promise<ProgressCall> {
    const called = modernRequest(
      'tools/call',
      { name: 'progress', arguments: {} },
      { meta: { progressToken: 'probe' } },
    )
    // Mcp-Name mirrors the name that the server's own tool has.
    const message = withCastTools(called, this.client.settings.roles ?? new Map()) as Message
    return { exchange: await this.#send(message, headers), id: message.id }
  }

  /** A subscription is what stays open for long here. */
  override async openStream(headers: Readonly<Record<string, string>> = {}, headMs?: number): Promise<Exchange> {
    const notifications = { toolsListChanged: true }
    return await this.#send(modernRequest('subscriptions/listen', { notifications }), headers, headMs)
  }

  override get opening(): string {
    return 'subscriptions/listen'
  }

  async #send(message: Message, changes: Readonly<Record<string, string>>, headMs = this.timeoutMs): Promise<Exchange> {
    return await this.client.send('POST', { body: message, headers: modernHeaders(message, changes), headMs })
  }
}
