import { StoreError, StoreTypeError } from '../backplane/guarded-backplane.ts'
import { aFunction } from '../option-checks.ts'
import { now } from '../promises/clock.ts'
import { isThenable } from '../promises/maybe-promise.ts'

/** Where an error came from: see {@link EndpointOptions.onError}. */
export type ErrorSource = 'factory' | 'server' | 'session-store' | 'event-log' | 'message-bus' | 'auth' | 'request'

/** Receives an error that no reply carries. `isLogged`: the framework has it in its own log. */
export type Report = (error: unknown, where: ErrorSource, isLogged?: boolean) => void

const subjects: Record<ErrorSource, string> = {
  factory: 'the option `server`',
  server: 'the MCP server object',
  'session-store': 'the session store',
  'event-log': 'the event log',
  'message-bus': 'the message bus',
  auth: 'authentication',
  request: 'a request',
}

/** Time, in milliseconds, in which errors of one kind are printed once. */
const quietMs = 60_000

/** Kinds that are printed in that time at most: no client fills a disk by making errors that all differ. */
const maxKinds = 20

/** Characters of a line. */
const maxLine = 600

/**
 * What `onError` is by default: one line for each kind of error and minute, so that no fault is silent. `print` gets
 * the line.
 */
export function createErrorPrinter(print: (line: string) => void): (error: unknown, where: ErrorSource) => void {
  let printed = new Set<string>()
  let until = 0
  return (error, where) => {
    const time = now()
    if (time >= until) {
      printed = new Set()
      until = time + quietMs
    }
    const found = describe(error)
    // Ids and numbers make no other kind.
    const kind = `${where} ${found.replace(/\d+/g, '0')}`
    if (printed.has(kind) || printed.size >= maxKinds) return
    printed.add(kind)
    print(`MCP endpoint, ${subjects[where]}: ${found} (once a minute; the option onError gets every error)`)
  }
}

const storeSources = { sessions: 'session-store', events: 'event-log', bus: 'message-bus' } as const

/** The check of the option `onError`. The function never throws: there is nobody left who could be told. */
export function toReport(value: unknown, name: string): Report {
  const given =
    value === undefined ? undefined : aFunction<(error: unknown, where: ErrorSource) => unknown>()(value, name)
  const print = createErrorPrinter((line) => console.error(line))
  return (error, where, isLogged) => {
    const isStores = error instanceof StoreError || error instanceof StoreTypeError
    const source = isStores ? storeSources[error.part] : where
    try {
      if (!given) return isLogged ? undefined : print(error, source)
      const reported = given(error, source)
      if (isThenable(reported)) Promise.resolve(reported).catch(() => undefined)
    } catch {
      // See above.
    }
  }
}

/** Name, message and place of an error, in one line: a client may have written part of it. */
function describe(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : `${String(error)} was thrown`
  const place = error instanceof Error ? /^[ \t]+at .*$/m.exec(error.stack ?? '')?.[0] : undefined
  return `${text}${place ?? ''}`.replace(/[\p{Cc}\s]+/gu, ' ').slice(0, maxLine)
}
