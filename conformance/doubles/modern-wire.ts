import type { ServerResponse } from 'node:http'
import type { Defect } from './doubles.ts'
import { isObject, type Json, type RequestId, writeJson } from './wire.ts'

/** Doubles of the modern half: it knows no other defects, and the legacy half knows none of these. */
export type ModernDefects = ReadonlySet<Defect>

export const modernVersion = '2026-07-28'

const prefix = 'io.modelcontextprotocol'

export const metaKeys = {
  version: `${prefix}/protocolVersion`,
  capabilities: `${prefix}/clientCapabilities`,
  clientInfo: `${prefix}/clientInfo`,
  logLevel: `${prefix}/logLevel`,
  subscription: `${prefix}/subscriptionId`,
  serverInfo: `${prefix}/serverInfo`,
} as const

/** A request whose `_meta` and headers were checked. */
export interface ModernRequest {
  readonly id: RequestId
  readonly method: string
  readonly params: Json
  readonly capabilities: Json
  readonly logLevel: string | undefined
  readonly progressToken: RequestId | undefined
}

/** An error that is answered with an HTTP status of its own. */
export class ModernRefusal extends Error {
  readonly status: number
  readonly code: number
  readonly data: Json | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    code: number,
    message: string,
    more: { data?: Json; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message)
    this.status = status
    this.code = code
    this.data = more.data
    this.headers = more.headers ?? {}
  }
}

export function headerMismatch(message: string): ModernRefusal {
  return new ModernRefusal(400, -32020, message)
}

/** The id as it was sent, wherever it can be read. */
export function idOf(value: unknown, defects: ModernDefects): RequestId | undefined {
  if (defects.has('modern-errors-have-no-id') || !isObject(value)) return undefined
  const { id, method } = value
  if (typeof method !== 'string') return undefined
  return typeof id === 'string' || Number.isSafeInteger(id) ? (id as RequestId) : undefined
}

export function writeRefusal(response: ServerResponse, refusal: ModernRefusal, id: RequestId | undefined): void {
  const { code, message, data } = refusal
  const error = data === undefined ? { code, message } : { code, message, data }
  const body = id === undefined ? { jsonrpc: '2.0', error } : { jsonrpc: '2.0', id, error }
  writeJson(response, refusal.status, body, refusal.headers)
}
