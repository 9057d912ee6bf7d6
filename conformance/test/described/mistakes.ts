import { type ReferenceServer, startReferenceServer } from '../../doubles/reference-server.ts'

/** A server with one mistake at a level that fails the command, and two at others. */
export function startWithMistakes(): Promise<ReferenceServer> {
  const defects = new Set(['no-allow-on-405', 'session-id-in-query-counts', 'get-without-session-is-404'] as const)
  return startReferenceServer({ defects })
}
