import type { Endpoint } from '@throughline/mcp-http-core'
import { mcp } from '@throughline/mcp-http-express'
import express from 'express'
import { type Address, type Listening, toListening } from './listening.ts'

export function listen(endpoint: Endpoint, { port, host }: Address): Promise<Listening> {
  const app = express()
  app.all('/mcp', mcp(endpoint))
  app.get('/health', (_request, response) => void response.sendStatus(endpoint.closing ? 503 : 200))
  return toListening(app.listen(port, host))
}
