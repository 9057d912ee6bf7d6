import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { createEndpoint } from '@throughline/mcp-http-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type LocationLines, proxyTo, readDocumented } from '../../test-support/nginx/documented.ts'
import { leftOut, nginxInstalled, startNginx } from '../../test-support/nginx/start-nginx.ts'
import { startReferenceServer } from '../doubles/reference-server.ts'
import { mount, type StartOptions, startFixture } from '../mounts/index.ts'
import {
  type DeploymentReport,
  type Finding,
  type FindingId,
  type FindingVerdict,
  findingIds,
  formatDeployment,
  type ProbeDeploymentOptions,
  probeDeployment,
} from '../src/probe/index.ts'
import { judgeTls } from '../src/probe/probes/tls.ts'
import { startProxy, type Tampering } from './probe-proxy.ts'

if (!nginxInstalled) console.warn(leftOut)

/** Comment lines come so often that an idle stream need not be watched for long. */
const lively = { keepAliveMs: 100 }

async function startOurs(options: StartOptions = lively): Promise<string> {
  const { url, close } = await startFixture(options)
  onTestFinished(() => close())
  return url
}

async function startReference(): Promise<string> {
  const { url, close } = await startReferenceServer({ keepAliveMs: 100 })
  onTestFinished(close)
  return url
}

function probe(url: string, options: Partial<ProbeDeploymentOptions> = {}): Promise<DeploymentReport> {
  return probeDeployment({ url, idleMs: 500, ...options })
}

function idsOf({ findings }: DeploymentReport, verdict: FindingVerdict): FindingId[] {
  return findings.filter((finding) => finding.verdict === verdict).map(({ id }) => id)
}

function findingOf({ findings }: DeploymentReport, id: FindingId): Finding {
  const found = findings.find((finding) => finding.id === id)
  if (found === undefined) throw new Error(`Expected a finding ${id}`)
  return found
}

/** Everything that is not ok. */
function exceptions({ findings }: DeploymentReport): Record<string, string> {
  const others = findings.filter(({ verdict }) => verdict !== 'ok')
  return Object.fromEntries(others.map(({ id, verdict }) => [id, verdict]))
}

describe('without anything in between', () => {
  test.each([
    ['our own server', startOurs],
    ['the reference server', startReference],
  ])('all is well with %s', async (_name, start) => {
    const report = await probe(await start())
    expect(exceptions(report)).toEqual({ tls: 'not-testable' })
    expect(report.findings.map(({ id }) => id)).toEqual(findingIds)
  })

  test('without sessions, what is about sessions is not testable', async () => {
    const report = await probe(await startOurs({ sessions: false }))
    expect(idsOf(report, 'problem')).toEqual([])
    expect(idsOf(report, 'not-testable')).toEqual([
      'tls',
      'session-id-to-client',
      'session-id-to-server',
      'last-event-id',
      'affinity',
      'idle',
    ])
  })

  test('with answers in JSON only, the standalone stream stands for all streams', async () => {
    const report = await probe(await startOurs({ ...lively, response: 'json' }))
    expect(idsOf(report, 'problem')).toEqual([])
    expect(findingOf(report, 'buffering')).toMatchObject({ verdict: 'ok' })
  })

  test('a server without any tool is probed as far as it goes', async () => {
    const server = () => new Server({ name: 'bare', version: '1.0.0' }, { capabilities: {} })
    const endpoint = createEndpoint({ server, ...lively })
    const options = { parser: false, compression: false, nested: false, port: 0 }
    const { url, close } = await mount('node', endpoint, options)
    onTestFinished(async () => {
      await endpoint.close({ drainMs: 0 })
      await close()
    })
    const report = await probe(url)
    expect(idsOf(report, 'problem')).toEqual([])
    expect(findingOf(report, 'buffering')).toMatchObject({ verdict: 'ok' })
    expect(findingOf(report, 'buffering').seen).toContain('standalone')
  })

  test('a server of 2026-07-28 alone is probed by server/discover, and what it has no more is not testable', async () => {
    const { url, close } = await startReferenceServer({ modernOnly: true, keepAliveMs: 100 })
    onTestFinished(close)
    const report = await probe(url, {
      tools: new Map([['progress', { tool: 'burst', args: { count: 4, delayMs: 50 } }]]),
    })
    expect(idsOf(report, 'problem')).toEqual([])
    expect(idsOf(report, 'not-testable')).toEqual([
      'tls',
      'session-id-to-client',
      'session-id-to-server',
      'last-event-id',
      'affinity',
    ])
    expect(findingOf(report, 'reach').seen).toMatch(/^server\/discover was answered in .* \(2026-07-28\)/)
    expect(findingOf(report, 'buffering').seen).toMatch(/In a call with progress the first of \d events/)
    expect(findingOf(report, 'body-size').seen).toMatch(/^A server\/discover of 1.5 MiB got 200/)
  })

  test('a stream that was silent throughout is a note that says what was not waited for', async () => {
    const report = await probe(await startOurs({ keepAliveMs: 60_000 }))
    expect(exceptions(report)).toEqual({ tls: 'not-testable', idle: 'note' })
    expect(findingOf(report, 'idle').seen).toContain('--idle 120s')
  })
})

describe('behind a proxy', () => {
  const cases: readonly (readonly [string, Tampering, FindingId])[] = [
    ['holds answers back until they are complete', { body: 'whole' }, 'buffering'],
    [
      'drops Mcp-Session-Id from answers',
      { onResponse: (headers) => delete headers['mcp-session-id'] },
      'session-id-to-client',
    ],
    [
      'drops Mcp-Session-Id from requests',
      { onRequest: (headers) => delete headers['mcp-session-id'] },
      'session-id-to-server',
    ],
    [
      'drops MCP-Protocol-Version',
      { onRequest: (headers) => delete headers['mcp-protocol-version'] },
      'version-header',
    ],
    ['drops Last-Event-ID', { onRequest: (headers) => delete headers['last-event-id'] }, 'last-event-id'],
    ['drops Origin', { onRequest: (headers) => delete headers.origin }, 'origin'],
    ['compresses event streams', { body: 'gzip' }, 'compression'],
    [
      'lets pages of any origin read answers',
      {
        onResponse: (headers) => {
          headers['access-control-allow-origin'] = '*'
        },
      },
      'cors',
    ],
  ]

  test.each(cases)('that %s, that alone is the problem', async (_what, tampering, id) => {
    const url = await startProxy([await startOurs()], tampering)
    const report = await probe(url, { timeoutMs: 2_000 })
    expect(idsOf(report, 'problem')).toEqual([id])
    const { seen, means, changes } = findingOf(report, id)
    expect(seen).toMatch(/\d/)
    expect(means).not.toBe('')
    expect(changes.map(({ at }) => at)).toContain('nginx')
  })

  test('that does nothing, all is well', async () => {
    const url = await startProxy([await startOurs()])
    expect(exceptions(await probe(url))).toEqual({ tls: 'not-testable' })
  })

  test('that cuts silent connections after a second, that alone is the problem', async () => {
    const url = await startProxy([await startOurs({ keepAliveMs: 60_000 })], { idleMs: 1_000 })
    const report = await probe(url, { idleMs: 4_000 })
    expect(idsOf(report, 'problem')).toEqual(['idle'])
    expect(findingOf(report, 'idle').seen).toMatch(/ended after (9\d\d ms|[1-3]\.\d s), .* after the last byte/)
  })

  test('that sends every request to another of two nodes, the missing affinity alone is the problem', async () => {
    const url = await startProxy([await startOurs(), await startOurs()])
    const report = await probe(url)
    expect(idsOf(report, 'problem')).toEqual(['affinity'])
    expect(findingOf(report, 'affinity').seen).toMatch(/18 pings in 3 sessions.*404 × \d+/)
    expect(idsOf(report, 'not-testable')).toEqual(['tls'])
  })

  test('that holds bytes back for 200 ms, that is a note and no problem', async () => {
    const url = await startProxy([await startOurs()], { body: 'late' })
    const report = await probe(url)
    // On a busy machine what comes late may come too late for another look at the stream, which then says so.
    expect(idsOf(report, 'problem')).toEqual([])
    expect(findingOf(report, 'buffering').verdict).toBe('note')
    expect(findingOf(report, 'buffering').means).toContain('late by a fraction of a second')
  })

  test('that compresses event streams and flushes each event, that is a note', async () => {
    const url = await startProxy([await startOurs()], { body: 'gzip-flushed' })
    const report = await probe(url)
    expect(exceptions(report)).toEqual({ tls: 'not-testable', compression: 'note' })
  })

  test('that adds CORS headers to those of the server, the double is the problem', async () => {
    const onResponse: Tampering['onResponse'] = (headers) => {
      headers['access-control-allow-origin'] = ['https://probe.invalid', '*']
    }
    const url = await startProxy([await startOurs()], { onResponse })
    const report = await probe(url)
    expect(idsOf(report, 'problem')).toEqual(['cors'])
    expect(findingOf(report, 'cors').means).toContain('More than one')
  })

  test.each([
    [301, 'problem'],
    [307, 'note'],
  ] as const)(
    'that redirects with %d, that is a %s, and the rest is probed where it leads',
    async (status, verdict) => {
      const target = await startOurs()
      const server = createServer((_request, response) => response.writeHead(status, { location: target }).end())
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      onTestFinished(() => void server.close())
      const report = await probe(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`)
      expect(exceptions(report)).toEqual({ tls: 'not-testable', redirects: verdict })
      expect(findingOf(report, 'redirects').seen).toContain(`${status} to ${target}`)
    },
  )
})

test('a redirect to another origin does not get the token', async () => {
  const seen: (string | undefined)[] = []
  const onRequest: Tampering['onRequest'] = ({ authorization }) => seen.push(authorization)
  const target = await startProxy([await startOurs()], { onRequest })
  const redirecting = createServer((_request, response) => response.writeHead(307, { location: target }).end())
  redirecting.listen(0, '127.0.0.1')
  await once(redirecting, 'listening')
  onTestFinished(() => void redirecting.close())
  const { port } = redirecting.address() as AddressInfo
  const report = await probe(`http://127.0.0.1:${port}/mcp`, { token: 'secret-token' })
  expect(findingOf(report, 'reach').verdict).toBe('ok')
  expect(new Set(seen)).toEqual(new Set([undefined]))
  await probe(target, { token: 'secret-token' })
  expect(seen).toContain('Bearer secret-token')
})

test('nginx is installed where the whole suite has to run', () => {
  // In CI a test that is left out must not look like one that passed.
  if (process.env.CI) expect(nginxInstalled, leftOut).toBe(true)
})

describe.skipIf(!nginxInstalled)(nginxInstalled ? 'behind nginx' : leftOut, () => {
  async function startBehind(lines: LocationLines, options?: StartOptions): Promise<string> {
    const upstream = await startOurs(options)
    const { port } = await startNginx((place) => proxyTo(upstream, place.port, lines))
    return `http://127.0.0.1:${port}/mcp`
  }

  test('with its defaults, the body size is the problem; the silence and HTTP/1.0 are notes', async () => {
    const report = await probe(await startBehind([], { keepAliveMs: 60_000 }))
    expect(exceptions(report)).toEqual({ tls: 'not-testable', hops: 'note', idle: 'note', 'body-size': 'problem' })
    expect(findingOf(report, 'body-size').seen).toMatch(/got 413 with text\/html \(nginx/)
    expect(findingOf(report, 'body-size').changes[0]).toMatchObject({ at: 'nginx' })
    expect(findingOf(report, 'buffering').seen).toContain('nginx took it for itself')
    expect(findingOf(report, 'idle').means).toContain('60 s')
  })

  test('with the documented configuration, all is well', async () => {
    const report = await probe(await startBehind(await readDocumented()))
    // nginx still names itself.
    expect(exceptions(report)).toEqual({ tls: 'not-testable', hops: 'note' })
  })

  test('that is told to ignore X-Accel-Buffering, buffering is a problem', async () => {
    const lines = ['proxy_ignore_headers X-Accel-Buffering;', 'client_max_body_size 4m;']
    const report = await probe(await startBehind(lines), { timeoutMs: 2_000 })
    expect(idsOf(report, 'problem')).toEqual(['buffering'])
  })

  test('that cuts off after a second of silence, that alone is the problem', async () => {
    const lines = ['proxy_read_timeout 1s;', 'client_max_body_size 4m;']
    const report = await probe(await startBehind(lines, { keepAliveMs: 60_000 }), { idleMs: 4_000 })
    expect(idsOf(report, 'problem')).toEqual(['idle'])
  })

  test('that compresses event streams against the will of the server, it is said whether that delays events', async () => {
    const lines = ['gzip on;', 'gzip_types text/event-stream;', 'gzip_min_length 0;', 'client_max_body_size 4m;']
    const report = await probe(await startBehind(lines))
    expect(idsOf(report, 'problem')).toEqual([])
    expect(findingOf(report, 'compression')).toMatchObject({ verdict: 'note' })
  })

  test('with a certificate that nobody signed, the certificate is named', async () => {
    const upstream = await startOurs()
    const { port } = await startNginx(({ port: free, folder }) => {
      makeCertificate(folder)
      return `
        server {
          listen 127.0.0.1:${free} ssl http2;
          ssl_certificate ${folder}/certificate.pem;
          ssl_certificate_key ${folder}/key.pem;
          location /mcp { proxy_pass ${new URL(upstream).origin}; }
        }
      `
    })
    const report = await probe(`https://127.0.0.1:${port}/mcp`)
    expect(idsOf(report, 'problem')).toEqual(['reach', 'tls'])
    expect(findingOf(report, 'tls').seen).toMatch(/TLSv1\.[23], .*not trusted/)
    expect(idsOf(report, 'not-testable')).toHaveLength(findingIds.length - 2)
  })
})

function makeCertificate(folder: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${folder}/key.pem`]
  const certificate = ['-subj', '/CN=localhost', '-days', '30', '-out', `${folder}/certificate.pem`]
  execFileSync('openssl', ['req', '-x509', ...key, ...certificate], { stdio: 'pipe' })
}

/** A server of a test, ended with it. Gives its URL. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
}

describe('a way that ends at no MCP server', () => {
  test.each([403, 421])('a refusal with %d that depends on the Host names allowedHosts', async (status) => {
    const initialized = { jsonrpc: '2.0', id: 1, result: { protocolVersion: '2025-11-25' } }
    const url = await serve(({ headers }, response) => {
      const isTaken = headers.host?.startsWith('localhost') === true
      response.writeHead(isTaken ? 200 : status, { 'content-type': 'application/json' })
      response.end(isTaken ? JSON.stringify(initialized) : '{}')
    })
    const report = await probe(url)
    expect(idsOf(report, 'problem')).toEqual(['reach', 'host'])
    const { seen, means, changes } = findingOf(report, 'host')
    expect(seen).toMatch(new RegExp(`got ${status}, and with Host: localhost:\\d+ 200: the refusal is of the name`))
    expect(means).toContain('allowedHosts')
    expect(changes[0]?.change).toContain('proxy_set_header Host $host;')
  })

  test('one that speaks of the Host does so too, and another does not', async () => {
    const refuse = (text: string) => serve((_request, response) => response.writeHead(403).end(text))
    const named = await probe(await refuse('Invalid Host header: 10.0.0.1'))
    expect(findingOf(named, 'host')).toMatchObject({ verdict: 'problem' })
    const other = await probe(await refuse('Forbidden'))
    expect(findingOf(other, 'host')).toMatchObject({ verdict: 'not-testable' })
  })

  test('a redirect is named with its target, wherever it leads', async () => {
    const login = await serve((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
    )
    const url = await serve((_request, response) => response.writeHead(302, { location: login }).end())
    const report = await probe(url)
    expect(idsOf(report, 'problem')).toEqual(['reach', 'redirects'])
    expect(findingOf(report, 'reach').seen).toContain(`${url} redirects with 302 to ${login}. `)
    expect(findingOf(report, 'redirects').seen).toBe(`${url} redirects with 302 to ${login}.`)
  })

  test('one that leads in a circle, and one that leads nowhere, too', async () => {
    const circle = await serve(({ headers }, response) => {
      response.writeHead(307, { location: `http://${headers.host}/mcp` }).end()
    })
    expect(findingOf(await probe(circle), 'reach').seen).toContain(`${circle} redirects with 307 to ${circle}.`)
    const nowhere = await serve((_request, response) => response.writeHead(302).end())
    expect(findingOf(await probe(nowhere), 'reach').seen).toBe(
      `${nowhere} redirects with 302 to nowhere: there is no Location.`,
    )
  })
})

describe('silence behind a hop that holds streams back', () => {
  /** Nothing of an event stream comes; after a second the hop gives up. */
  async function startHolding(giveUp: (response: ServerResponse) => void): Promise<string> {
    const upstream = await startOurs()
    const passing = await startProxy([upstream])
    return serve((request, response) => {
      if (request.method === 'GET') return void setTimeout(() => giveUp(response), 1_000)
      const { method, headers } = request
      const forwarded = send(passing, { method, headers, agent: false }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      })
      request.pipe(forwarded)
    })
  }

  test.each([
    [
      'cuts the connection',
      (response: ServerResponse) => void response.destroy(),
      /cut after 1\.\d s, before anything/,
    ],
    ['answers 504', (response: ServerResponse) => void response.writeHead(504).end(), /GET got 504 after 1\.\d s/],
  ])('is a problem when it %s', async (_what, giveUp, seen) => {
    const report = await probe(await startHolding(giveUp), { idleMs: 4_000, timeoutMs: 800 })
    expect(findingOf(report, 'idle')).toMatchObject({ verdict: 'problem', seen: expect.stringMatching(seen) })
    expect(findingOf(report, 'idle').seen).toContain('comment lines of the server do not keep it open')
  })

  test('is not testable when it was not waited for long enough', async () => {
    const report = await probe(await startHolding(() => undefined), { idleMs: 500, timeoutMs: 800 })
    expect(findingOf(report, 'idle')).toMatchObject({ verdict: 'not-testable' })
    expect(findingOf(report, 'idle').seen).toContain('see buffering')
  })
})

describe('hops', () => {
  test.each([
    ['Server', 'Apache/2.4.71 (Debian)', 'Apache'],
    ['Server', 'lighttpd/1.4.69', 'lighttpd'],
    ['Via', '1.1 varnish (Varnish/7.1)', 'Varnish'],
  ])('%s: %s is named, with what to change there first', async (name, value, hop) => {
    const onResponse: Tampering['onResponse'] = (headers) => {
      headers[name.toLowerCase()] = value
    }
    const url = await startProxy([await startOurs()], { onResponse, body: 'whole' })
    const report = await probe(url, { timeoutMs: 1_000 })
    expect(findingOf(report, 'hops').seen).toContain(value)
    expect(findingOf(report, 'buffering')).toMatchObject({ verdict: 'problem' })
    expect(findingOf(report, 'buffering').changes[0]?.at).toBe(hop)
  })
})

describe('the report', () => {
  test('a URL at which no MCP server answers is a finding, and nothing else is testable', async () => {
    const { origin } = new URL(await startOurs())
    const report = await probe(`${origin}/no-such-path`)
    expect(idsOf(report, 'problem')).toEqual(['reach'])
    expect(idsOf(report, 'not-testable')).toHaveLength(findingIds.length - 1)
    expect(findingOf(report, 'reach').seen).toContain('404')
  })

  test('so is a port at which nothing listens', async () => {
    const { url, close } = await startFixture()
    await close()
    const report = await probe(url)
    expect(idsOf(report, 'problem')).toEqual(['reach'])
    expect(findingOf(report, 'reach').seen).toContain('ECONNREFUSED')
  })

  test('is plain JSON, carries no token, and each finding of it is told as it comes', async () => {
    const heard: Finding[] = []
    const onFinding = (finding: Finding) => heard.push(finding)
    const report = await probe(await startOurs(), { token: 'secret-token', onFinding })
    expect(heard.map(({ id }) => id).sort()).toEqual([...findingIds].sort())
    expect(report.findings).toEqual(expect.arrayContaining(heard))
    expect(JSON.parse(JSON.stringify(report))).toEqual(report)
    expect(JSON.stringify(report)).not.toContain('secret-token')
  })

  test('rejects with the reason when it is aborted, and leaves no session behind', async () => {
    const fixture = await startFixture({ keepAliveMs: 60_000 })
    onTestFinished(() => fixture.close())
    const ended = new AbortController()
    const reason = new Error('enough')
    const onFinding = ({ id }: Finding) => id === 'affinity' && ended.abort(reason)
    await expect(probe(fixture.url, { idleMs: 60_000, signal: ended.signal, onFinding })).rejects.toBe(reason)
    await expect.poll(() => fixture.endpoint.stats().sessions).toBe(0)
  })

  test('as text says what was seen, what it means and what to change', async () => {
    const url = await startProxy([await startOurs()], {
      onRequest: (headers) => delete headers['mcp-protocol-version'],
    })
    const report = await probe(url)
    const text = formatDeployment(report, { color: false })
    expect(text).toContain(url)
    expect(text).toMatch(/^problem {2}MCP-Protocol-Version reaches the server \(version-header\)$/m)
    expect(text).toMatch(/^ {4}For clients: /m)
    expect(text).toMatch(/^ {4}- HAProxy: remove `http-request del-header MCP-Protocol-Version`$/m)
    expect(text).toMatch(/^1 problem, 0 note, 15 ok, 1 not-testable in /m)
    expect(text).not.toContain('\u001b')
    expect(formatDeployment(report, { color: true })).toContain('\u001b[31mproblem')
  })

  test.each([
    ['TLSv1.1', 90, undefined, 'problem'],
    ['TLSv1.3', 90, 'CERT_HAS_EXPIRED', 'problem'],
    ['TLSv1.3', 5, undefined, 'note'],
    ['TLSv1.2', 90, undefined, 'ok'],
  ] as const)('calls %s with a certificate of %d days, distrust %s: %s', (protocol, days, distrust, verdict) => {
    const now = Date.UTC(2026, 0, 1)
    const validTo = new Date(now + days * 86_400_000)
    expect(judgeTls({ protocol, distrust, validTo, alpn: 'h2' }, now)).toMatchObject({ verdict })
  })
})
