/**
 * `note`: works, with something to know. `not-testable`: this server does not offer what the probe needs, or what came
 * before stood in its way.
 */
export type FindingVerdict = 'ok' | 'problem' | 'note' | 'not-testable'

/** What findings are about, in the order of a report. */
export const findingIds = [
  'reach',
  'host',
  'tls',
  'http-version',
  'redirects',
  'hops',
  'session-id-to-client',
  'session-id-to-server',
  'version-header',
  'last-event-id',
  'origin',
  'cors',
  'affinity',
  'buffering',
  'compression',
  'idle',
  'body-size',
] as const

export type FindingId = (typeof findingIds)[number]

/** What a change can be made at. */
export const hopNames = [
  'nginx',
  'Caddy',
  'HAProxy',
  'Apache',
  'lighttpd',
  'Varnish',
  'AWS ALB',
  'Google Cloud LB',
  'Cloudflare',
] as const

export type HopName = (typeof hopNames)[number]

export interface Change {
  readonly at: HopName
  readonly change: string
}

/** What one probe came to. Plain JSON. */
export interface Finding {
  readonly id: FindingId
  /** What is so when all is well. */
  readonly title: string
  readonly verdict: FindingVerdict
  /** What was sent and seen, with numbers. */
  readonly seen: string
  /** What follows for MCP clients; empty for `ok` and `not-testable`. */
  readonly means: string
  /** What to change, hop by hop: first the hops that named themselves. Empty for `ok` and `not-testable`. */
  readonly changes: readonly Change[]
}

/** What stands between a client and a server. Plain JSON. */
export interface DeploymentReport {
  /** Of this format. */
  readonly version: 1
  readonly url: string
  /** ISO 8601. */
  readonly startedAt: string
  readonly durationMs: number
  /** In the order of {@link findingIds}. */
  readonly findings: readonly Finding[]
}

/** What a probe says. */
export interface Judgement {
  readonly verdict: FindingVerdict
  readonly seen: string
  /** In place of what the finding means in general. */
  readonly means?: string
}

export function ok(seen: string): Judgement {
  return { verdict: 'ok', seen }
}

export function problem(seen: string, means?: string): Judgement {
  return { verdict: 'problem', seen, ...(means === undefined ? {} : { means }) }
}

export function note(seen: string, means?: string): Judgement {
  return { verdict: 'note', seen, ...(means === undefined ? {} : { means }) }
}

export function untestable(seen: string): Judgement {
  return { verdict: 'not-testable', seen }
}
