import { execFile, execFileSync } from 'node:child_process'
import type { IncomingHttpHeaders } from 'node:http'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { listen } from '../../test-support/listen.ts'
import { doubles } from '../doubles/doubles.ts'
import { type ReferenceServer, startReferenceServer } from '../doubles/reference-server.ts'
import { type CheckContext, createContext } from '../src/client/context.ts'
import { toCurl } from '../src/client/curl.ts'
import { probeTarget } from '../src/client/find-target.ts'
import { HttpClient } from '../src/client/http.ts'
import { initialize } from '../src/client/json-rpc.ts'
import { freshPing } from '../src/client/probes.ts'
import { Transcript } from '../src/client/transcript.ts'
import { runConformance } from '../src/run-conformance.ts'

const run = promisify(execFile)
const servers: ReferenceServer[] = []

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

function hasCurl(): boolean {
  try {
    execFileSync('curl', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    console.warn('curl is not installed: its lines are not run')
    return false
  }
}

const testWithCurl = test.skipIf(!hasCurl())

async function start(options: Parameters<typeof startReferenceServer>[0] = {}): Promise<ReferenceServer> {
  const server = await startReferenceServer(options)
  servers.push(server)
  return server
}

/** What curl shows when it sends what `send` sent, to the reference server or to `url`. */
async function repeat(
  send: (context: CheckContext) => Promise<unknown>,
  url?: URL,
): Promise<{ lines: string; output: string }> {
  const target = await probeTarget(new URL((await start()).url))
  const context = createContext({ ...target, ...(url && { url }) })
  try {
    await send(context)
    const lines = toCurl(context.transcript)
    return { lines, output: (await run('bash', ['-c', lines], { timeout: 15_000 })).stdout }
  } finally {
    await context.close()
  }
}

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A server that refuses every request, and keeps what came. */
async function recordRequests(): Promise<{ url: URL; received: readonly Received[] }> {
  const received: Received[] = []
  const { origin } = await listen(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    // Each client has a name and ways of its own.
    const { 'user-agent': _name, connection: _connection, ...headers } = request.headers
    received.push({ headers, body: Buffer.concat(chunks).toString() })
    response.writeHead(403).end()
  })
  return { url: new URL(`${origin}/mcp`), received }
}

testWithCurl('sends the same headers and body', async () => {
  const text = `it's "quoted" $HOME \`date\` \\ é\n`
  const message = initialize('2025-11-25', { experimental: { text } })
  const { url, received } = await recordRequests()
  const { lines, output } = await repeat(async ({ post }) => {
    await post(message, { headers: { Origin: 'http://evil.example.com' } })
  }, url)
  expect(lines).toMatch(/^curl -sS -i /)
  expect(output).toMatch(/^HTTP\/1\.1 403 /)
  const [sent, repeated] = received
  expect(repeated).toEqual(sent)
  expect(JSON.parse(repeated?.body ?? '')).toEqual(message)
})

testWithCurl('sends the secrets of the run, by variables of their names', async () => {
  const token = "it's-$HOME/secret+token=="
  const { url, received } = await recordRequests()
  const secrets = new Map([[token, '$TOKEN']])
  const client = new HttpClient(url, new Transcript(secrets), { headers: { Authorization: `Bearer ${token}` } })
  await client.send('POST', { body: { token }, headers: { 'Content-Type': 'application/json' } })
  const lines = toCurl(client.transcript)
  client.close()
  expect(lines).not.toContain('secret')
  await run('bash', ['-c', lines], { env: { ...process.env, TOKEN: token } })
  const [sent, repeated] = received
  expect([repeated?.headers.authorization, repeated?.body]).toEqual([sent?.headers.authorization, sent?.body])
})

testWithCurl('sends a header without a value', async () => {
  const { url, received } = await recordRequests()
  await repeat(({ post }) => post(freshPing(), { headers: { 'Mcp-Session-Id': '' } }), url)
  const [sent, repeated] = received
  expect(sent?.headers['mcp-session-id']).toBe('')
  expect(repeated).toEqual(sent)
})

testWithCurl('shows the answer when the last request opens a session', async () => {
  const { output } = await repeat(async ({ open }) => {
    await open({ initialized: false })
  })
  expect(output).toMatch(/^HTTP\/1\.1 200 .*"protocolVersion"/s)
})

testWithCurl('opens the session that the last request is sent in', async () => {
  const { lines, output } = await repeat(async ({ open }) => {
    await (await open()).post(freshPing())
  })
  expect(lines).toMatch(/^SESSION=\$\(curl /)
  expect(lines).toContain('"Mcp-Session-Id: $SESSION"')
  expect(output).toMatch(/"result":\{\}/)
})

testWithCurl('sends bytes that are no text', async () => {
  const { output } = await repeat(async ({ post }) => {
    await post(Buffer.from([0x7b, 0xff, 0x7d]), {})
  })
  expect(output).toMatch(/^HTTP\/1\.1 400 /)
})

testWithCurl('leaves out headers that curl adds by itself', async () => {
  const { output } = await repeat(async ({ open }) => {
    await (await open()).post(freshPing(), { headers: { 'Content-Type': undefined } })
  })
  expect(output).toMatch(/HTTP\/1\.1 415 /)
})

testWithCurl('ends a stream that stays open', { timeout: 20_000 }, async () => {
  const { output } = await repeat(async ({ open }) => {
    await (await open()).listen()
  }).catch((error: { stdout: string; code: number }) => ({ output: error.stdout }))
  expect(output).toMatch(/text\/event-stream/)
})

testWithCurl('shows the failure that a check found', async () => {
  const double = doubles.find(({ requirement }) => requirement === 'session/unknown-id-is-404')
  if (double === undefined) throw new Error('Expected a double of session/unknown-id-is-404')
  const { url } = await start({ defects: new Set([double.defect]) })
  const { results } = await runConformance({ url, only: ['session/unknown-id-is-404'] })
  expect(results[0]?.verdict).toBe('fail')
  const { stdout } = await run('bash', ['-c', results[0]?.curl ?? ''])
  expect(stdout).toMatch(/^HTTP\/1\.1 (?!404)\d+ /)
})
