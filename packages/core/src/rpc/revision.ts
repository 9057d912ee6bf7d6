/** Differences between protocol revisions, as data. No other file compares version strings. */
export interface Revision {
  readonly version: string
  /** A POST may carry an array of messages (2025-03-26, and what is served by its rules). */
  readonly batches: boolean
  /** Clients understand events with empty data, so a stream may start with one that only carries an id. */
  readonly priming: boolean
  /** The server may end a call's connection before the answer; the client polls (SEP-1699). */
  readonly polling: boolean
}

const revisions: readonly Revision[] = [
  { version: '2025-11-25', batches: false, priming: true, polling: true },
  { version: '2025-06-18', batches: false, priming: false, polling: false },
  { version: '2025-03-26', batches: true, priming: false, polling: false },
  // It knows no Streamable HTTP, but the first clients that do ask for it.
  { version: '2024-11-05', batches: true, priming: false, polling: false },
]

const byVersion = new Map(revisions.map((revision) => [revision.version, revision]))

/** Newest first. */
export const supportedVersions: readonly string[] = revisions.map((revision) => revision.version)

const latestVersion = '2025-11-25'

/** The revision of a request without a version header, when nothing else tells (Protocol Version Header). */
const assumedVersion = '2025-03-26'

export function findRevision(version: string): Revision | undefined {
  return byVersion.get(version)
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
