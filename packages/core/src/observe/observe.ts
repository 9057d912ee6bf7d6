import { type Channel, type Moment, refusalChannel, traces } from '../diagnostics/channels.ts'
import type { DiagnosticMessage, RefusalMessage, TracedMessages } from '../diagnostics/messages.ts'
import type { Endpoint } from '../endpoint.ts'
import { expected } from '../option-checks.ts'
import { isThenable } from '../promises/maybe-promise.ts'

/** Listeners for {@link observe}, by the last part of a channel's name and, for what takes time, by the moment. */
export type Observer = {
  readonly [Name in keyof TracedMessages]?: { readonly [Each in Moment]?: (message: TracedMessages[Name]) => void }
} & {
  readonly refusal?: (message: RefusalMessage) => void
}

/** Whatever a channel carries, its listeners get what it is named for. */
type AnyChannel = Channel<DiagnosticMessage>
type AnyListener = (message: DiagnosticMessage) => unknown

/**
 * Subscribes to the diagnostics channels for one endpoint: `docs/diagnostics.md` describes each message. Listeners run
 * while the request waits, but for what they promise. What they throw, or promise in vain, goes to the option `onError`
 * as of `request`, and nowhere else.
 *
 * @returns what ends it
 * @throws TypeError for a channel, a moment or a listener that is none
 * @throws Error on a runtime without `node:diagnostics_channel`
 *
 * @example
 * ```ts
 * const stop = observe(endpoint, {
 *   call: { asyncEnd: ({ method, durationMs }) => console.log(method, durationMs) },
 * })
 * ```
 */
export function observe(endpoint: Endpoint, observer: Observer): () => void {
  checkObservable(endpoint)
  const subscribed = listenersOf(observer).map(([channel, listener]) => {
    const guarded = guard(endpoint, listener)
    channel.subscribe(guarded)
    return () => channel.unsubscribe(guarded)
  })
  return () => {
    for (const unsubscribe of subscribed) unsubscribe()
  }
}

/** @throws as {@link observe} for what it cannot listen to */
export function checkObservable(endpoint: Endpoint): void {
  if (typeof endpoint?.stats !== 'function') throw expected('an endpoint, as createEndpoint returns it', endpoint)
  if (!refusalChannel) throw new Error('This runtime has no node:diagnostics_channel: nothing can be observed')
}

/** Messages of other endpoints are none of the observer's, and an observer's fault is none of the process's. */
function guard(endpoint: Endpoint, listener: AnyListener): AnyListener {
  const report = (error: unknown): void => endpoint.report?.(error)
  return (message) => {
    if (message.endpoint !== endpoint) return
    try {
      const returned = listener(message)
      if (isThenable(returned)) Promise.resolve(returned).catch(report)
    } catch (error) {
      report(error)
    }
  }
}

type Found = readonly [AnyChannel, AnyListener]

const moments: readonly string[] = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] satisfies Moment[]

function listenersOf(observer: Observer): Found[] {
  const { refusal, ...traced } = members('the observer', observer)
  checkNames('channel', Object.keys(traced), [...Object.keys(traces), 'refusal'])
  const found = Object.entries(traced).flatMap(([name, listeners]) => listenersOfTrace(name, listeners))
  if (refusal !== undefined) found.push([refusalChannel as unknown as AnyChannel, toListener('refusal', refusal)])
  return found
}

function listenersOfTrace(name: string, listeners: unknown): Found[] {
  if (listeners === undefined) return []
  const { channel } = traces[name as keyof TracedMessages]
  const known = members(`\`${name}\` of the observer`, listeners)
  checkNames(`moment of ${name}`, Object.keys(known), moments)
  return Object.entries(known)
    .filter(([, listener]) => listener !== undefined)
    .map(([moment, listener]) => {
      return [channel?.[moment as Moment] as unknown as AnyChannel, toListener(`${name}.${moment}`, listener)]
    })
}

function members(what: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>
  throw expected(`${what} to be an object of listeners, as in { call: { asyncEnd: … } }`, value)
}

function checkNames(what: string, given: readonly string[], known: readonly string[]): void {
  const unknown = given.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new TypeError(`Unknown ${what}: ${unknown} (known are ${known.join(', ')})`)
}

function toListener(name: string, value: unknown): AnyListener {
  if (typeof value === 'function') return value as AnyListener
  throw expected(`\`${name}\` of the observer to be a function`, value)
}
