import { PassThrough, Readable } from 'node:stream'
import Router from '@koa/router'
import { mcp } from '@throughline/mcp-http-koa'
import { koaBody } from 'koa-body'
import bodyParser from 'koa-bodyparser'
import { describe, expect, test } from 'vitest'
import { describeMounting, expectHiddenFailure } from '../../../test-support/adapters/describe-mounting.ts'
import { describeMounts } from '../../../test-support/adapters/describe-mounts.ts'
import { initializeMessage, McpClient } from '../../../test-support/client/mcp-client.ts'
import { send } from '../../../test-support/client/reply.ts'
import { endpointWith } from '../../../test-support/endpoints.ts'
import { listen } from '../../../test-support/listen.ts'
import { watchProcess } from '../../../test-support/watch-process.ts'
import { adapters, atPath, mountsOf, serve } from './adapter.ts'

for (const adapter of adapters) {
  describeMounting(adapter)
  describeMounts(adapter, mountsOf(adapter.framework), ['PROPFIND'])
}

describe.each(adapters)('$name', ({ framework }) => {
  test('leaves the methods of other routes to allowedMethods() of its router', async () => {
    const router = new Router().all('/mcp', mcp(endpointWith())).get('/health', (ctx) => ctx.redirect('/'))
    const app = new framework()
    app.use(router.routes()).use(router.allowedMethods())
    const { origin, errors } = await serve(app)
    await McpClient.open(`${origin}/mcp`)
    expect((await fetch(`${origin}/mcp/deeper`)).status).toBe(404)
    expect((await fetch(`${origin}/health`, { method: 'POST' })).status).toBe(405)
    expect(errors).toEqual([])
  })

  test('gives a request outside of its path to the next middleware', async () => {
    const app = new framework().use(atPath(mcp(endpointWith()))).use((ctx) => {
      ctx.body = 'next'
    })
    const { origin } = await listen(app.callback())
    expect(await (await fetch(`${origin}/other`)).text()).toBe('next')
  })

  test.each([
    ['an Error', new Error('secret of the factory'), 'secret of the factory'],
    ['a string', 'secret of the factory', "non-error thrown: 'secret of the factory'"],
    ['nothing', undefined, 'non-error thrown: undefined'],
  ])(
    'emits what the server factory throws on the app, once, and tells the client nothing: %s',
    async (_what, thrown, message) => {
      const app = new framework()
      const emitted: unknown[][] = []
      app.on('error', (...args: unknown[]) => emitted.push(args))
      const fail = (): never => {
        throw thrown
      }
      const { origin } = await listen(app.use(mcp({ server: fail })).callback())
      await expectHiddenFailure(origin)
      expect(emitted).toEqual([[expect.objectContaining({ message }), expect.objectContaining({ path: '/' })]])
      expect(emitted[0]?.[0]).toBeInstanceOf(Error)
    },
  )

  test('has such an error printed where the app listens to none, as Koa does', async () => {
    const { faults } = watchProcess()
    const app = new framework().use(mcp({ server: () => Promise.reject(new Error('no database')) }))
    const { origin } = await listen(app.callback())
    expect((await send(origin, { body: initializeMessage })).status).toBe(500)
    expect(faults).toEqual([expect.stringContaining('Error: no database')])
  })

  test.each([
    ['koa-bodyparser', () => bodyParser({ strict: false })],
    ['koa-body', () => koaBody({ jsonStrict: false })],
  ])('answers 400 to the body null, also behind %s that is not strict', async (_parser, parse) => {
    const { origin, errors } = await serve(new framework().use(parse()).use(mcp(endpointWith())))
    const reply = await send(origin, { body: null })
    expect([reply.status, JSON.parse(await reply.text())]).toMatchObject([400, { error: { code: -32600 } }])
    expect(errors).toEqual([])
  })

  test('leaves an error of the app to Koa, also where Node’s objects are emulated without a socket', async () => {
    const app = new framework()
    const emitted: unknown[] = []
    app.on('error', (error: unknown) => emitted.push(error))
    app.use(async (_ctx, next) => {
      await next()
      throw new Error('after the answer')
    })
    const request = Object.assign(Readable.from([]), { method: 'PUT', url: '/', headers: { host: 'localhost' } })
    const response = emulatedResponse(request)
    await app.use(mcp(endpointWith())).callback()(request as never, response as never)
    expect(response.statusCode).toBe(500)
    expect(emitted).toMatchObject([{ message: 'after the answer' }])
  })
})

/** As much of Node's response as Koa needs. */
function emulatedResponse(req: unknown) {
  const fields = new Map<string, unknown>()
  return Object.assign(new PassThrough(), {
    req,
    statusCode: 0,
    headersSent: false,
    setHeader: (name: string, value: unknown) => void fields.set(name.toLowerCase(), value),
    getHeader: (name: string) => fields.get(name.toLowerCase()),
    getHeaderNames: () => [...fields.keys()],
    hasHeader: (name: string) => fields.has(name.toLowerCase()),
    removeHeader: (name: string) => void fields.delete(name.toLowerCase()),
    writeHead: () => undefined,
  })
}
