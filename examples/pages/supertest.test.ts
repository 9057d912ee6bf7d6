import { createEndpoint, mcp } from '@throughline/mcp-http-express'
import express from 'express'
import request from 'supertest'
import { expect, onTestFinished, test } from 'vitest'
import { buildServer } from './server.ts'

test('lists the tools', async () => {
  const endpoint = createEndpoint({ server: () => buildServer(), sessions: false, response: 'json' })
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  const reply = await request(express().all('/mcp', mcp(endpoint)))
    .post('/mcp')
    .set('Accept', 'application/json, text/event-stream')
    .send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    .expect(200)
  expect(reply.body.result.tools).toHaveLength(1)
})
