import type { SessionRecord } from '../backplane/backplane.ts'

const listCapabilities = ['tools', 'prompts', 'resources'] as const

/** For streams on which nothing is made up for: a call's. */
export function noGapMessages(): readonly string[] {
  return []
}

/**
 * Events of the standalone stream were dropped, and MCP has no message for that. All that a client can miss there for
 * good is that something changed. To say so again is harmless: these messages name everything that can have changed.
 */
export function toGapMessages({ serverCapabilities, subscriptions }: SessionRecord): string[] {
  const lists = listCapabilities
    .filter((name) => (serverCapabilities[name] as { listChanged?: boolean } | undefined)?.listChanged)
    .map((name) => ({ jsonrpc: '2.0', method: `notifications/${name}/list_changed` }))
  const resources = subscriptions.map((uri) => ({
    jsonrpc: '2.0',
    method: 'notifications/resources/updated',
    params: { uri },
  }))
  return [...lists, ...resources].map((message) => JSON.stringify(message))
}
