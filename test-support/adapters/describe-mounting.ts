import { describe, expect, test } from 'vitest'
import { createEndpoint, type EndpointOptions, Rejection } from '../../packages/core/src/index.ts'
import { initializeMessage, McpClient, ping, toText } from '../client/mcp-client.ts'
import { send } from '../client/reply.ts'
import { endpointWith } from '../endpoints.ts'
import { report, serverWith, type Tool } from '../sdk-server.ts'
import { sleep, standstill } from '../waiting.ts'
import type { Adapter } from './adapter.ts'
import { start } from './start.ts'

const serverThatFails: EndpointOptions['server'] = () => {
  throw new Error('secret of the factory')
}

const wantedFactory =
  'Expected server to be a function that builds a server object for each session, as () => new McpServer(…), got '

/** Asks an endpoint at `url` whose factory fails: the client is told nothing of it. */
export async function expectHiddenFailure(url: string): Promise<void> {
  const reply = await send(url, { body: initializeMessage })
  const text = await reply.text()
  expect([reply.status, JSON.parse(text)]).toMatchObject([500, { id: 0, error: { code: -32603 } }])
  expect(text).not.toContain('secret')
}

/** What an app and its endpoints owe each other. */
export function describeMounting<M>(adapter: Adapter<M>): void {
  describe(adapter.name, () => {
    test('takes options in place of an endpoint', async () => {
      const server = serverWith({ which: () => 'of the options' })
      const { origin } = await adapter.serve({ routes: [{ path: '/mcp', mounted: { server } }] })
      expect(await (await McpClient.open(`${origin}/mcp`)).textOf('which')).toBe('of the options')
    })

    test('gives out the createEndpoint of the core', () => {
      expect(adapter.createEndpoint).toBe(createEndpoint)
    })

    test.each<[what: string, options: object, message: string]>([
      ['a factory that is none', { server: 'none' }, `${wantedFactory}"none" (string)`],
      ['no factory', {}, `${wantedFactory}undefined (undefined)`],
      ['a server object', { server: new Date() }, `${wantedFactory}an object of Date (object)`],
      ['an unknown option', { server: serverWith(), sesions: false }, 'Unknown option: sesions'],
    ])('refuses bad options before it serves, naming them: %s', async (_what, options, message) => {
      const app = { routes: [{ path: '/mcp', mounted: options as EndpointOptions }] }
      const refusal = { name: 'TypeError', message: expect.stringContaining(message) }
      await expect(adapter.serve(app)).rejects.toMatchObject(refusal)
    })

    test('keeps two servers on one app apart, each with its own options', async () => {
      const route = (which: string, options: Partial<EndpointOptions> = {}) => ({
        path: `/${which}`,
        mounted: endpointWith({ which: () => which }, options),
      })
      const { origin } = await adapter.serve({ routes: [route('blue'), route('green', { maxBodyBytes: 1_000 })] })
      const blue = await McpClient.open(`${origin}/blue`)
      const green = await McpClient.open(`${origin}/green`)
      expect([await blue.textOf('which'), await green.textOf('which')]).toEqual(['blue', 'green'])
      const astray = await send(`${origin}/green`, { headers: blue.headers, body: ping })
      expect(astray.status).toBe(404)
      expect((await green.call('echo', { text: 'x'.repeat(1_000) })).status).toBe(413)
      expect((await blue.call('echo', { text: 'x'.repeat(1_000) })).status).toBe(200)
    })

    test('serves one endpoint from several places', async () => {
      const mounted = endpointWith()
      const { origin } = await adapter.serve({ routes: ['/a', '/b'].map((path) => ({ path, mounted })) })
      const client = await McpClient.open(`${origin}/a`)
      expect((await send(`${origin}/b`, { headers: client.headers, body: ping })).status).toBe(200)
    })

    test('answers at its path with a slash behind it as well', async () => {
      const { origin } = await start(adapter)
      const client = await McpClient.open(`${origin}/mcp/`)
      expect((await client.post(ping)).status).toBe(200)
      expect((await send(`${origin}/mcp`, { headers: client.headers, body: ping })).status).toBe(200)
    })

    test('leaves other routes alone, with a parser of their own', async () => {
      const { origin, url, errors } = await start(adapter)
      await McpClient.open(url)
      expect(await (await fetch(`${origin}/health`)).json()).toEqual({ ok: true })
      const form = await fetch(`${origin}/form`, { method: 'POST', body: new URLSearchParams({ a: '1' }) })
      expect(await form.json()).toEqual({ a: '1' })
      expect((await fetch(`${origin}/nothing`)).status).toBe(404)
      const deeper = await send(`${url}/deeper`, { body: initializeMessage })
      expect([deeper.status, deeper.headers['content-type']]).toEqual([404, adapter.notFoundType])
      expect(errors).toEqual([])
    })

    test('answers an error of the factory itself, reports it, and tells the client nothing of it', async () => {
      const { url, reported, errors } = await start(adapter, { options: { server: serverThatFails } })
      await expectHiddenFailure(url)
      const error = expect.objectContaining({ message: 'secret of the factory' })
      expect(reported).toEqual([error])
      expect(errors).toHaveLength(adapter.tellsApp ? 1 : 0)
    })

    test.each(['realm="a\nb"', 'realm="🦉"'])(
      'answers 500 to a refusal whose header HTTP does not allow, and reports it: %s',
      async (realm) => {
        const auth = (): never => {
          throw new Rejection('unauthorized', { headers: { 'www-authenticate': `Bearer ${realm}` } })
        }
        const { url, reported } = await start(adapter, { options: { auth } })
        const reply = await send(url, { body: initializeMessage })
        expect([reply.status, JSON.parse(await reply.text())]).toMatchObject([500, { error: { code: -32603 } }])
        expect(reported).toMatchObject([{ message: expect.stringContaining('www-authenticate of a Rejection') }])
      },
    )

    test('reads a body after what is in front has waited', async () => {
      const { url } = await start(adapter, { before: [adapter.inFront(() => sleep(20))] })
      const client = await McpClient.open(url)
      expect(await client.textOf('echo', { text: 'x'.repeat(300_000) })).toBe('x'.repeat(300_000))
    })

    test('answers 500 when the body was read in front and nothing of it was left, and lives on', async () => {
      const swallow = adapter.inFront(async ({ request }) => {
        if (request.headers['x-swallow']) for await (const _chunk of request);
      })
      const { url, errors, reported } = await start(adapter, { before: [swallow] })
      const reply = await send(url, { headers: { 'x-swallow': 'yes' }, body: initializeMessage })
      expect([reply.status, reply.headers['content-type']]).toEqual([500, adapter.jsonType])
      const { error } = (await reply.json()) as { error: { code: number; message: string } }
      expect(error.code).toBe(-32603)
      expect(error.message).toContain('body was read before it reached the MCP endpoint')
      expect({ errors, reported }).toEqual({ errors: [], reported: [] })
      await McpClient.open(url)
    })

    test('answers 500 when what is in front has begun to read the body', async () => {
      const beginsToRead = adapter.inFront(
        ({ request }) =>
          new Promise((resolve) => {
            request.once('data', () => {
              request.pause()
              resolve()
            })
          }),
      )
      const { url } = await start(adapter, { before: [beginsToRead] })
      const reply = await send(url, { body: initializeMessage })
      expect(reply.status).toBe(500)
      expect(await reply.json()).toMatchObject({ jsonrpc: '2.0', error: { code: -32603 } })
    })

    test('holds the sender while the client does not read, and loses nothing', async () => {
      const count = 200
      let sent = 0
      const flood: Tool = async (_args, extra) => {
        for (; sent < count; sent++) await report(extra, `${sent} ${'x'.repeat(100_000)}`)
        return 'done'
      }
      const { url, expectNoFault } = await start(adapter, { tools: { flood } })
      const client = await McpClient.open(url)
      const reply = await client.call('flood')
      // Nothing reads the response yet: what the sockets and Node's queue can take is far less than 20 MB.
      expect(await standstill(() => sent)).toBeLessThan(count)
      for (let i = 0; i < count; i++) {
        const { params } = (await reply.events.next()).message as { params: { data: string } }
        expect(Number.parseInt(params.data, 10)).toBe(i)
      }
      expect(toText(await reply.answer())).toBe('done')
      expectNoFault()
    })
  })
}
