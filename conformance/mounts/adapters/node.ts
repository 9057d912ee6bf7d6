import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { type Adapter, isAt, parserLimit, type Route } from '../adapter.ts'
import {
  answersMalformedJson,
  parsesBeforeOrigin,
  readsBeforeOrigin,
  readsLargeBodies,
  replacesInvalidBytes,
} from '../parser-exceptions.ts'

export const node: Adapter<'node'> = {
  name: 'node',
  package: '@throughline/mcp-http-core',
  framework: [],
  parser: {
    exceptions: [
      parsesBeforeOrigin,
      readsBeforeOrigin,
      replacesInvalidBytes,
      answersMalformedJson,
      readsLargeBodies,
      { id: 'limits/chunked-large-body-is-413', reason: 'the bare mount answers 400 to every parser error' },
    ],
  },
  exceptions: [],
  async serve(routes, { parser }) {
    const mounted = await Promise.all(routes.map((route) => mount(route, parser)))
    return (request, response) => {
      const found = mounted.find(({ route }) => isAt(route, request))
      if (found === undefined) response.writeHead(404).end()
      else found.listener(request, response)
    }
  },
}

interface Mounted {
  readonly route: Route
  readonly listener: RequestListener
}

async function mount(route: Route, parser: boolean): Promise<Mounted> {
  const { toNodeHandler } = await import('@throughline/mcp-http-core/node')
  const serve = toNodeHandler(route.serves)
  const refuse = (response: ServerResponse): void => void response.writeHead(400).end()
  if (!parser) {
    return { route, listener: (request, response) => void serve(request, response).catch(() => refuse(response)) }
  }
  const parse = await createParser()
  const listener: RequestListener = (request: ParsedRequest, response) =>
    parse(request, response, (error) => {
      if (error) refuse(response)
      else serve(request, response).catch(() => refuse(response))
    })
  return { route, listener }
}

type ParsedRequest = IncomingMessage & { body?: unknown }

type ConnectMiddleware = (request: ParsedRequest, response: ServerResponse, next: (error?: unknown) => void) => void

/** A connect middleware needs nothing of Express, and leaves `request.body` as an application's own parser would. */
async function createParser(): Promise<ConnectMiddleware> {
  const { default: express } = await import('express')
  return express.json({ limit: parserLimit }) as ConnectMiddleware
}
