import type { RequestListener } from 'node:http'
import type express from 'express'
import { type Adapter, parserLimit, type Route, routerPrefix, type ServeOptions } from '../adapter.ts'
import {
  answersMalformedJson,
  parsesBeforeOrigin,
  readsBeforeOrigin,
  readsLargeBodies,
  replacesInvalidBytes,
} from '../parser-exceptions.ts'

type Express = typeof express

const shared = {
  package: '@throughline/mcp-http-express',
  parser: {
    exceptions: [
      parsesBeforeOrigin,
      readsBeforeOrigin,
      replacesInvalidBytes,
      answersMalformedJson,
      readsLargeBodies,
      {
        id: 'limits/errors-tell-nothing-of-the-inside',
        reason: 'the error page of the parser in front shows a stack',
      },
    ],
  },
  compression: true,
  nested: true,
  exceptions: [],
} as const

export const express5: Adapter<'express'> = {
  ...shared,
  name: 'express',
  framework: ['express'],
  serve: async (routes, options) => serve((await import('express')).default, routes, options),
  async serveBare(answer) {
    const { default: framework } = await import('express')
    return framework().all('/mcp', (request, response, next) => {
      answer(request)
        .then(({ status, text = '', headers }) => {
          response.writeHead(status, { 'content-length': Buffer.byteLength(text), ...headers }).end(text)
        })
        .catch(next)
    })
  },
}

export const express4: Adapter<'express4'> = {
  ...shared,
  name: 'express4',
  framework: ['express4'],
  isOlder: true,
  serve: async (routes, options) => serve((await import('express4')).default, routes, options),
}

async function serve(
  framework: Express,
  routes: readonly Route[],
  { parser, compression, nested }: ServeOptions,
): Promise<RequestListener> {
  const { mcp } = await import('@throughline/mcp-http-express')
  const app = framework()
  if (compression) app.use((await import('compression')).default())
  if (parser) app.use(framework.json({ limit: parserLimit }))
  const router = nested ? framework.Router() : app
  for (const { path, serves } of routes) router.all(path, mcp(serves))
  return router === app ? app : app.use(routerPrefix, router)
}
