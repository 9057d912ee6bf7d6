import { failuresOf, failuresOfEra, failuresOfRefusals, isFailed, type Tried, type Verdict } from './judge.ts'
import type { Fallback } from './roster.ts'
import { describe, errorCodeOf, type Log, methodOf, ofHttpMethod, spokenIn } from './wire.ts'

/** What is asked of each. */
export const fallbackFeatures = ['list', 'call'] as const

/** Columns of the table of {@link judgeFallback}. */
export const fallbackColumns = ['client', 'probe', 'next', 'speaks', ...fallbackFeatures, 'told']

/** A client of a server whose factory cannot serve 2026-07-28: it asks for that once, and is told at once to go back. */
export function judgeFallback(fallback: Fallback, tried: Tried, log: Log): Verdict {
  const [probe, next] = ofHttpMethod(log, 'POST')
  const { client, failure } = fallback
  const failures = failuresOfProbe(log)
  failures.push(...(failure ? failuresOfPinned(failure, tried, log) : failuresOfReturn(fallback, tried, log)))
  const ofFeature = (name: string): string => (isFailed(name, failures) ? 'FAIL' : 'yes')
  const cells = {
    client: client.name,
    probe: `${probe?.status} ${errorCodeOf(probe)}`,
    ...(failure
      ? { next: 'gives up', speaks: '–', list: '–', call: '–', told: tried.get('connect') ?? '?' }
      : { next: methodOf(next) ?? '?', speaks: spokenIn(log), list: ofFeature('list'), call: ofFeature('call') }),
  }
  return { cells, failures }
}

/** It comes first and once. One of the clients would not go back after -32022. */
function failuresOfProbe(log: Log): string[] {
  const failures: string[] = []
  const [probe] = ofHttpMethod(log, 'POST')
  const isRefused = probe?.status === 400 && errorCodeOf(probe) === -32000
  if (methodOf(probe) !== 'server/discover' || !isRefused)
    failures.push(`Expected server/discover first, answered 400 and -32000, got ${describe(probe)}`)
  const probes = log.filter((exchange) => methodOf(exchange) === 'server/discover').length
  if (probes !== 1) failures.push(`Expected one server/discover, got ${probes}`)
  if (log.some(({ reply }) => reply.includes('-32022'))) failures.push('Expected -32022 nowhere')
  return failures
}

/** It speaks nothing else, and says so. */
function failuresOfPinned(wanted: RegExp, tried: Tried, log: Log): string[] {
  const told = tried.get('connect')
  const failures = wanted.test(told ?? '') ? [] : [`connect: Expected a message like ${wanted}, got ${told}`]
  if (log.length !== 1) failures.push(`Expected no more than the probe, got ${log.length} requests`)
  return failures
}

/** Its next message opens a session, and all goes on in that. */
function failuresOfReturn({ client, refusals }: Fallback, tried: Tried, log: Log): string[] {
  const failures = failuresOf(tried, ['connect', ...fallbackFeatures, 'close'])
  const [, next] = ofHttpMethod(log, 'POST')
  if (methodOf(next) !== 'initialize' || next?.status !== 200)
    failures.push(`Expected initialize of ${client.name} next, answered 200, got ${describe(next)}`)
  failures.push(...failuresOfEra('2025', log), ...failuresOfRefusals(['POST 400', ...refusals], log))
  return failures
}
