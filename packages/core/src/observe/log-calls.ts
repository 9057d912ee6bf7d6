import type { CallMessage, RefusalMessage } from '../diagnostics/messages.ts'
import type { Endpoint } from '../endpoint.ts'
import { withMethods } from '../option-checks.ts'
import { observe } from './observe.ts'
import { errorTypeOf, targetOf } from './operation.ts'

/** What is logged of a call or a refusal. */
export interface LogEntry {
  readonly level: 'info' | 'warn' | 'error'
  /** One line, without control characters. */
  readonly text: string
  readonly fields: Readonly<Record<string, string | number>>
}

/** Pino, and loggers that are called as it is: fields, then text. */
export interface FieldLogger {
  info(fields: object, text: string): unknown
  warn(fields: object, text: string): unknown
  error(fields: object, text: string): unknown
}

/**
 * Logs a line for each call that is over and for each request that is refused: to `console`, as text; to pino and its
 * like, with fields; or to a function of yours. What clients send and tools answer is not in it, nor is a session's id,
 * only its key.
 *
 * @returns what ends it
 * @throws TypeError for what is no logger, and as {@link observe}
 *
 * @example
 * ```ts
 * logCalls(endpoint, pino())
 * ```
 */
export function logCalls(
  endpoint: Endpoint,
  logger: FieldLogger | ((entry: LogEntry) => unknown) = console,
): () => void {
  const write = toWriter(logger)
  return observe(endpoint, {
    call: {
      asyncEnd: (message) => (message.requestId === undefined ? undefined : write(toCallEntry(message))),
    },
    refusal: (message) => write(toRefusalEntry(message)),
  })
}

const aLogger = withMethods<FieldLogger>('info', 'warn', 'error')

function toWriter(logger: FieldLogger | ((entry: LogEntry) => unknown)): (entry: LogEntry) => unknown {
  if (typeof logger === 'function') return logger
  aLogger(logger, 'the logger of logCalls, where it is no function,')
  if (logger === console) return ({ level, text }) => console[level](text)
  return ({ level, fields, text }) => logger[level](fields, text)
}

function toCallEntry(message: CallMessage): LogEntry {
  const { method, requestId = '', sessionKey, outcome = 'result', clientAddress, durationMs = 0 } = message
  const target = targetOf(message)
  const errorType = errorTypeOf(message)
  const ms = Math.round(durationMs * 100) / 100
  const name = target === undefined ? shorten(method) : `${shorten(method)} ${shorten(target)}`
  return {
    level: errorType === undefined ? 'info' : 'warn',
    text: `MCP ${name}: ${errorType ?? outcome} in ${ms} ms`,
    fields: {
      event: 'mcp.call',
      method: shorten(method),
      ...(target !== undefined && { target: shorten(target) }),
      requestId: typeof requestId === 'string' ? shorten(requestId) : requestId,
      outcome,
      ...(errorType !== undefined && { errorType }),
      durationMs: ms,
      ...(sessionKey !== undefined && { sessionKey }),
      ...(clientAddress !== undefined && { clientAddress }),
    },
  }
}

function toRefusalEntry({ code, status, httpMethod, path, host, origin, clientAddress }: RefusalMessage): LogEntry {
  const from = clientAddress === undefined ? '' : ` from ${clientAddress}`
  return {
    level: status >= 500 ? 'error' : 'warn',
    text: `MCP ${shorten(httpMethod)} ${shorten(path)}: refused with ${status} ${code}${from}`,
    fields: {
      event: 'mcp.refusal',
      ...{ code, status },
      httpMethod: shorten(httpMethod),
      path: shorten(path),
      ...(host !== undefined && { host: shorten(host) }),
      ...(origin !== undefined && { origin: shorten(origin) }),
      ...(clientAddress !== undefined && { clientAddress }),
    },
  }
}

/** A client has written it: it makes neither a second line nor a long one. */
function shorten(text: string): string {
  return text.slice(0, 200).replace(/[\p{Cc}\u2028\u2029]/gu, ' ')
}
