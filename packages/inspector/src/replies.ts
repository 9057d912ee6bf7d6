import type { HttpReply } from '@throughline/mcp-http-core'
import { contentSecurityPolicy, pageHtml } from './page.generated.ts'

/** Nothing of it is to be kept, guessed, framed or told to other sites. */
const guarded = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

/** It holds no data: what it shows it asks for. */
export const pageReply: HttpReply = {
  status: 200,
  headers: {
    ...guarded,
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': contentSecurityPolicy,
  },
  body: pageHtml,
}

export function toJsonReply(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): HttpReply {
  return {
    status,
    headers: { ...guarded, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(value),
  }
}
