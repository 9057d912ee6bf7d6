import { requirements } from '../requirements/index.ts'

/** What one asks who runs the command; flags stand under the question that they answer. */
export const questions = {
  reach: 'How is the server reached?',
  offers: 'What does the server have?',
  checked: 'What is checked?',
  fails: 'What fails the run?',
  reported: 'How is it reported?',
  watched: 'What is looked for?',
  about: 'About this command:',
} as const

/** The README and docs/conformance.md say the same. */
export const description = `Checks an MCP server over HTTP: ${requirements.length} requirements of Streamable HTTP, each with
its clause.

It opens sessions and ends them, lists tools, calls those that play a role, and
sends requests with mistakes in them. What could harm a server that others use
runs only with --abuse, last and one at a time: ids and names made to break
software, floods, oversize bodies, slow senders.`

export const examples = `
Examples:
  $ mcp-http-conformance http://localhost:3000/mcp
  $ mcp-http-conformance https://example.com/mcp --token @token.txt
  $ mcp-http-conformance http://localhost:3000/mcp --tool progress=my_job
  $ mcp-http-conformance http://localhost/mcp --reporter junit --output ci.xml
  $ mcp-http-conformance a.json b.json --reporter html --output matrix.html
  $ mcp-http-conformance probe https://example.com/mcp

Exit codes:
  0  nothing failed
  1  a failure, a stale entry of the baseline, or a run that is not complete
  2  a mistake on the command line
  3  no MCP server answers there`

export const probeExitCodes = `
Exit codes:
  0  no problem was found
  1  a problem
  2  a mistake on the command line
  3  no MCP server answers there`
