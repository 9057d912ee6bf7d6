import { describe, expect, test } from 'vitest'
import { initializeMessage, McpClient, ping, toText } from '../client/mcp-client.ts'
import { type Reply, send } from '../client/reply.ts'
import { endpointWith } from '../endpoints.ts'
import { report, type Tool } from '../sdk-server.ts'
import { deferred } from '../waiting.ts'
import { watchProcess } from '../watch-process.ts'
import type { Adapter, AppServer, Mounted } from './adapter.ts'

/** A way to mount the endpoint. */
export interface Mount {
  readonly name: string
  readonly path: string
  /** Serves an app that is mounted so until the test is over. */
  serve(mounted: Mounted): Promise<AppServer>
  /** Size of a body that what is in front still lets through, in bytes. */
  readonly largestBody?: number
  /** Where what is in front answers malformed JSON itself: how. */
  readonly expectMalformedRefused?: (reply: Reply, errors: readonly unknown[]) => Promise<void>
}

interface MountedApp extends AppServer {
  readonly url: string
  readonly faults: readonly unknown[]
}

async function serve({ path, serve }: Mount, tools: Record<string, Tool> = {}): Promise<MountedApp> {
  const { faults } = watchProcess()
  const served = await serve(endpointWith(tools))
  return { ...served, url: served.origin + path, faults }
}

/** Each way to mount the endpoint serves everything. */
export function describeMounts(
  { name, jsonType }: Pick<Adapter<unknown>, 'name' | 'jsonType'>,
  mounts: readonly Mount[],
  /** Methods beside the usual ones of which the framework knows. */
  otherMethods: readonly string[] = [],
): void {
  for (const mount of mounts)
    describe(`${name} mounted with ${mount.name}`, () => describeMount(mount, jsonType, otherMethods))
}

function describeMount(mount: Mount, jsonType: string, otherMethods: readonly string[]): void {
  test('serves a session from initialize to DELETE', async () => {
    const { url, errors, faults } = await serve(mount)
    const client = await McpClient.open(url)
    expect(await client.textOf('echo', { text: 'Grüße, 世界 🦉' })).toBe('Grüße, 世界 🦉')
    const ended = await client.delete()
    expect([ended.status, await ended.text()]).toEqual([204, ''])
    const late = await client.post(ping)
    expect([late.status, late.headers['content-type']]).toEqual([404, jsonType])
    expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  })

  test('carries bodies larger than what streams and sockets hold by themselves', async () => {
    const size = mount.largestBody ?? 900_000
    const { url, errors, faults } = await serve(mount)
    const client = await McpClient.open(url)
    expect(await client.textOf('echo', { text: 'x'.repeat(size) })).toHaveLength(size)
    expect({ errors, faults }).toEqual({ errors: [], faults: [] })
  })

  test('streams events of a call as they come, and of the session', async () => {
    const seen = deferred()
    const step: Tool = async (_args, extra) => {
      await report(extra, 'first')
      await seen.promise
      return 'done'
    }
    const { url, errors } = await serve(mount, { step })
    const client = await McpClient.open(url)
    const reply = await client.call('step')
    expect(reply.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    })
    expect((await reply.events.next()).message).toMatchObject({ params: { data: 'first' } })
    seen.resolve()
    expect(toText(await reply.answer())).toBe('done')
    await reply.events.ended

    const standalone = await client.get()
    expect([standalone.status, standalone.headers['content-type']]).toEqual([200, 'text/event-stream'])
    standalone.leave()
    expect(errors).toEqual([])
  })

  test('reads a chunked body, and refuses what is no JSON-RPC', async () => {
    const { url, errors } = await serve(mount)
    const chunked = await send(url, { headers: { 'transfer-encoding': 'chunked' }, body: initializeMessage })
    expect(chunked.status).toBe(200)
    await chunked.text()
    const odd = await send(url, { body: { hello: 'world' } })
    expect(odd.status).toBe(400)
    expect(await odd.json()).toMatchObject({ jsonrpc: '2.0', error: { code: -32600 } })
    expect(errors).toEqual([])
  })

  const whoAnswers = mount.expectMalformedRefused ? 'as what is in front does' : 'with a JSON-RPC parse error'
  test(`answers malformed JSON ${whoAnswers}, and lives on`, async () => {
    const { url, errors } = await serve(mount)
    const reply = await send(url, { body: '{"jsonrpc": "2.0", ' })
    expect(reply.status).toBe(400)
    if (mount.expectMalformedRefused) await mount.expectMalformedRefused(reply, errors)
    else {
      expect(await reply.json()).toMatchObject({ jsonrpc: '2.0', error: { code: -32700 } })
      expect(errors).toEqual([])
    }
    const client = await McpClient.open(url)
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
  })

  test('answers 405 with Allow to other methods', async () => {
    const { url, errors } = await serve(mount)
    for (const method of ['PUT', 'PATCH', 'HEAD', 'OPTIONS', ...otherMethods]) {
      const reply = await send(url, { method })
      expect([method, reply.status, reply.headers.allow]).toEqual([method, 405, 'GET, POST, DELETE'])
      await reply.text()
    }
    expect(errors).toEqual([])
  })

  test('refuses a name that is not of this machine on a loopback address: DNS rebinding finds nothing', async () => {
    const { url } = await serve(mount)
    const reply = await send(url, { headers: { host: 'evil.example:3000' }, body: initializeMessage })
    expect(reply.status).toBe(403)
    expect(await reply.json()).toMatchObject({ error: { message: expect.stringContaining('Host not allowed') } })
  })
}
