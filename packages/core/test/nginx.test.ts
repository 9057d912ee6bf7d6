import { describe, expect, test } from 'vitest'
import type { Json } from '../../../test-support/client/event-reader.ts'
import { McpClient, ping, toText } from '../../../test-support/client/mcp-client.ts'
import { type Reply, send } from '../../../test-support/client/reply.ts'
import { endpointWith } from '../../../test-support/endpoints.ts'
import { listen } from '../../../test-support/listen.ts'
import { type LocationLines, proxyTo, readDocumented } from '../../../test-support/nginx/documented.ts'
import { leftOut, nginxInstalled, startNginx } from '../../../test-support/nginx/start-nginx.ts'
import { pacing } from '../../../test-support/pacing.ts'
import { report, type Tool } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import type { Endpoint, EndpointOptions } from '../src/index.ts'
import { toNodeHandler } from '../src/node/index.ts'

if (!nginxInstalled) console.warn(leftOut)

interface Started {
  readonly url: string
  readonly endpoint: Endpoint
}

async function start(
  lines: LocationLines,
  tools: Record<string, Tool> = {},
  options: Partial<EndpointOptions> = {},
): Promise<Started> {
  const endpoint = endpointWith(tools, options)
  const upstream = await listen(toNodeHandler(endpoint))
  const { port } = await startNginx((place) => proxyTo(upstream.origin, place.port, lines))
  return { url: `http://127.0.0.1:${port}/mcp`, endpoint }
}

test('nginx is installed where the whole suite has to run', () => {
  // In CI a test that is left out must not look like one that passed.
  if (process.env.CI) expect(nginxInstalled, leftOut).toBe(true)
})

describe.skipIf(!nginxInstalled)(nginxInstalled ? 'through nginx' : leftOut, () => {
  describe.each([
    ['its defaults', async () => []],
    ['the documented configuration', readDocumented],
  ] as const)('with %s', (_name, readLines) => {
    test('a session works from initialize to DELETE', async () => {
      const { url, endpoint } = await start(await readLines())
      const client = await McpClient.open(url)
      expect(await client.textOf('echo', { text: 'Grüße 🦉' })).toBe('Grüße 🦉')
      expect(toText(await (await client.call('echo', { text: 'y'.repeat(500_000) })).answer())).toHaveLength(500_000)
      expect((await client.delete()).status).toBe(204)
      expect((await client.post(ping)).status).toBe(404)
      expect(endpoint.stats().sessions).toBe(0)
    })

    test('the events of a call arrive within 100 ms of being sent, each alone', async () => {
      const { paced, readDelays } = pacing()
      const { url } = await start(await readLines(), { paced })
      const client = await McpClient.open(url, { 'accept-encoding': 'gzip' })
      const reply = await client.call('paced')
      expect(reply.headers['content-type']).toBe('text/event-stream')
      for (const delay of await readDelays(reply)) expect(delay).toBeLessThan(100)
      await reply.events.ended
    })

    test('the head of a standalone stream arrives at once, and its events within 100 ms', async () => {
      const { url, endpoint } = await start(await readLines())
      const client = await McpClient.open(url)
      const askedAt = performance.now()
      const stream = await client.get()
      expect(stream.status).toBe(200)
      expect(performance.now() - askedAt).toBeLessThan(100)
      for (let i = 0; i < 3; i++) {
        const sentAt = performance.now()
        await endpoint.notify({ method: 'notifications/tools/list_changed' })
        expect((await stream.events.next()).at - sentAt).toBeLessThan(100)
      }
      stream.leave()
    })

    test('comments keep a silent stream open', async () => {
      const { url } = await start(await readLines(), {}, { keepAliveMs: 20 })
      const client = await McpClient.open(url)
      const stream = await client.get()
      await untilLines(stream, (lines) => lines.filter((line) => line === ':').length >= 3)
      stream.leave()
    })

    test('a client that leaves is noticed, and resumes what it missed', async () => {
      const finish = deferred()
      const { url, endpoint } = await start(await readLines(), {
        hold: async (_args, extra) => {
          await report(extra, 'first')
          await finish.promise
          return 'whole'
        },
      })
      const client = await McpClient.open(url)
      const reply = await client.call('hold')
      const { id } = await reply.events.next()
      reply.leave()
      await expect.poll(() => endpoint.stats().connections, { timeout: 3_000 }).toBe(0)
      finish.resolve()
      const resumed = await client.get({ 'last-event-id': id as string })
      expect(toText(await resumed.answer())).toBe('whole')
    })
  })

  test('passing the public Host on is refused until it is in allowedHosts', async () => {
    const host = { host: 'mcp.example.com' }
    const lines = await readDocumented()
    const refused = await start(lines)
    const reply = await send(refused.url, { headers: host, body: {} })
    expect(reply.status).toBe(403)
    const { error } = (await reply.json()) as { error: Json }
    expect(error.message).toContain('allowedHosts')

    const allowed = await start(lines, {}, { allowedHosts: ['mcp.example.com'] })
    const client = await McpClient.open(allowed.url, host)
    expect(await client.textOf('echo', { text: 'hi' })).toBe('hi')
    // The page of the server's own name may come too; a rebound name may not.
    const own = await client.post(ping, { origin: 'https://mcp.example.com' })
    expect(own.status).toBe(200)
    const rebound = await send(allowed.url, { headers: { host: 'rebound.example' }, body: {} })
    expect(rebound.status).toBe(403)
  })

  test('nginx alone names its upstream as Host: a foreign Origin is refused all the same', async () => {
    const { url } = await start([])
    const client = await McpClient.open(url, { host: 'mcp.example.com' })
    const reply = await client.post(ping, { origin: 'https://evil.example' })
    expect(reply.status).toBe(403)
  })
})

async function untilLines(stream: Reply, isThere: (lines: readonly string[]) => boolean): Promise<void> {
  const { events } = stream
  await expect.poll(() => isThere(events.lines), { timeout: 3_000, interval: 10 }).toBe(true)
}
