import type { RequestListener } from 'node:http'
import type Koa from 'koa'
import { type Adapter, parserLimit, type Route, routerPrefix, type ServeOptions } from '../adapter.ts'
import {
  answersMalformedJson,
  parsesBeforeOrigin,
  readsBeforeOrigin,
  replacesInvalidBytes,
} from '../parser-exceptions.ts'

const shared = {
  package: '@throughline/mcp-http-koa',
  parser: {
    exceptions: [
      parsesBeforeOrigin,
      readsBeforeOrigin,
      replacesInvalidBytes,
      answersMalformedJson,
      {
        id: 'limits/client-errors-are-no-server-errors',
        reason: 'the parser in front answers 500 to a body that is said to be gzip and is not',
      },
    ],
  },
  compression: true,
  nested: true,
  exceptions: [],
} as const

export const koa3: Adapter<'koa'> = {
  ...shared,
  name: 'koa',
  framework: ['koa'],
  serve: async (routes, options) => serve((await import('koa')).default, routes, options),
  async serveBare(answer) {
    const { default: Framework } = await import('koa')
    const app = new Framework()
    app.use(async (ctx) => {
      const { status, text, headers } = await answer(ctx.req)
      ctx.set(headers)
      ctx.body = text ?? null
      // After the body: an empty one would make it 204.
      ctx.status = status
    })
    return app.callback()
  },
}

export const koa2: Adapter<'koa2'> = {
  ...shared,
  name: 'koa2',
  framework: ['koa2'],
  isOlder: true,
  serve: async (routes, options) => serve((await import('koa2')).default, routes, options),
}

async function serve(
  Framework: typeof Koa,
  routes: readonly Route[],
  { parser, compression, nested }: ServeOptions,
): Promise<RequestListener> {
  const { mcp } = await import('@throughline/mcp-http-koa')
  const app = new Framework()
  if (compression) app.use((await import('koa-compress')).default())
  if (parser) app.use((await import('koa-bodyparser')).default({ jsonLimit: parserLimit }))
  const mounted = routes.map(({ path, serves }) => ({ path, serve: mcp(serves) }))
  if (nested) {
    const { default: Router } = await import('@koa/router')
    const router = new Router({ prefix: routerPrefix })
    for (const { path, serve } of mounted) router.all(path, serve)
    app.use(router.routes())
  } else {
    for (const { path, serve } of mounted) app.use((ctx, next) => (ctx.path === path ? serve(ctx, next) : next()))
  }
  return app.callback()
}
