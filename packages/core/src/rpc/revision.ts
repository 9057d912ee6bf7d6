/** The two ways to serve clients: with sessions, up to 2025-11-25, and without, since 2026-07-28. */
export type EraName = '2025' | '2026'

/** Differences between protocol revisions, as data. No other file compares version strings. */
export interface Revision {
  readonly version: string
  readonly era: EraName
  /** A POST may carry an array of messages (2025-03-26, and what is served by its rules). */
  readonly batches: boolean
  /** Clients understand events with empty data, so a stream may start with one that only carries an id. */
  readonly priming: boolean
  /** The server may end a call's connection before the answer; the client polls (SEP-1699). */
  readonly polling: boolean
  /** A client that leaves has cancelled its call (2026-07-28, Cancellation); otherwise it may come back. */
  readonly leavingCancels: boolean
}

/** The revision without sessions. */
export const statelessRevision: Revision = {
  version: '2026-07-28',
  era: '2026',
  batches: false,
  priming: false,
  polling: false,
  leavingCancels: true,
}

const withSessions = { era: '2025', leavingCancels: false } as const

const revisions: readonly Revision[] = [
  { version: '2025-11-25', batches: false, priming: true, polling: true, ...withSessions },
  { version: '2025-06-18', batches: false, priming: false, polling: false, ...withSessions },
  { version: '2025-03-26', batches: true, priming: false, polling: false, ...withSessions },
  // It knows no Streamable HTTP, but the first clients that do ask for it.
  { version: '2024-11-05', batches: true, priming: false, polling: false, ...withSessions },
]

const byVersion = new Map(revisions.map((revision) => [revision.version, revision]))

/** Those with sessions, newest first. */
export const supportedVersions: readonly string[] = revisions.map((revision) => revision.version)

const latestVersion = '2025-11-25'

/** The revision of a request without a version header, when nothing else tells (Protocol Version Header). */
const assumedVersion = '2025-03-26'

/** Of those with sessions. */
export function findRevision(version: string): Revision | undefined {
  return byVersion.get(version)
}

/** `undefined`: a version that nobody here speaks. */
export function eraOfVersion(version: string): EraName | undefined {
  return version === statelessRevision.version ? statelessRevision.era : byVersion.get(version)?.era
}

/**
 * The revision of a session or of a stateless request; a server object that answered with a version of its own gets the
 * newest rules.
 */
export function resolveRevision(version: string | undefined): Revision {
  return (byVersion.get(version ?? assumedVersion) ?? revisions[0]) as Revision
}

/**
 * The `params` of `initialize` as the server object gets them: a client that asks for a revision we do not know is
 * offered our newest (Lifecycle, Version Negotiation).
 */
export function negotiate(params: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { protocolVersion } = params
  if (typeof protocolVersion !== 'string' || byVersion.has(protocolVersion)) return params
  return { ...params, protocolVersion: latestVersion }
}
