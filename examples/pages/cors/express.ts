import { type Endpoint, mcp } from '@throughline/mcp-http-express'
import cors from 'cors'
import express, { type Express } from 'express'

export function createApp(endpoint: Endpoint, webApp: string): Express {
  const app = express()
  app.use(cors({ origin: webApp, exposedHeaders: ['Mcp-Session-Id', 'WWW-Authenticate'], maxAge: 7_200 }))
  app.all('/mcp', mcp(endpoint))
  return app
}
