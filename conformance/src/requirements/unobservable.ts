/** Rows of the catalogue that no check over HTTP alone can show, and why. */
export const unobservable: readonly { readonly row: string; readonly reason: string }[] = [
  {
    row: 'R140',
    reason: 'how much a server keeps is its own choice, and what tells of a gap has no common form; a test of the core',
  },
  {
    row: 'R144',
    reason: 'needs an event store that fails on purpose; a test of the core with a store of its own',
  },
  { row: 'R164', reason: 'needs a server configured with a short idle time; a test of the core with its own clock' },
  { row: 'R165', reason: 'needs a server configured with a short idle time; a test of the core with its own clock' },
  { row: 'R189', reason: 'needs control over the process of the server; a test of each adapter ends one' },
  {
    row: 'R232',
    reason: 'what parses bodies before the endpoint does not show over HTTP; the checks run on mounts with and without',
  },
  {
    row: 'R292',
    reason: 'needs control over the process of the server: a subscription is ended by the server when that shuts down',
  },
]
