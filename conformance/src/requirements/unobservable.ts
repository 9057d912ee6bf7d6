/** Rows of MUST level that no check over HTTP alone can show, and why. */
export const unobservable: readonly { readonly row: string; readonly reason: string }[] = [
  { row: 'R164', reason: 'needs a server configured with a short idle time; a test of the core with its own clock' },
  { row: 'R168', reason: 'needs a server with authentication' },
]
