// What HTTP and JSON alone cost: `node:http` and answers without any MCP server behind them.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Message, readJson, writeEvent, writeJson, writeSseHead } from './node-body.ts'
import { park } from './parking.ts'
import { announcement, listen, type RunningTarget } from './running-target.ts'
import { type ProgressInput, sendProgress } from './send-progress.ts'

const initialized = {
  protocolVersion: '2025-11-25',
  capabilities: { tools: {}, logging: {} },
  serverInfo: { name: 'floor', version: '1.0.0' },
}

/** The canned answer to a request; `undefined` for what wants none. */
export function answer({ id, method, params }: Message): string | undefined {
  if (id === undefined) return undefined
  const text = params?.arguments?.text ?? 'done'
  const result = method === 'initialize' ? initialized : { content: [{ type: 'text', text }] }
  return JSON.stringify({ jsonrpc: '2.0', id, result })
}

const streams = new Set<ServerResponse>()

export async function startFloor(): Promise<RunningTarget> {
  const url = await listen((request, response) => {
    serveFloor(request, response).catch(() => response.destroy())
  })
  const text = `data: ${JSON.stringify({ jsonrpc: '2.0', ...announcement })}\n\n`
  return {
    url,
    notify() {
      for (const stream of streams) stream.write(text)
    },
  }
}

/** For `node:http`, and for frameworks that hand on its objects. */
export async function serveFloor(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'GET') return openStream(response)
  if (request.method === 'DELETE') return void response.writeHead(200).end()
  const message = await readJson(request)
  if (message.method === 'subscriptions/listen') return openSubscription(response, message)
  const tool = message.method === 'tools/call' ? message.params?.name : undefined
  if (tool === 'park') await park()
  if (tool === 'progress') await writeProgress(message, response)
  const text = answer(message)
  if (text === undefined) return void response.writeHead(202).end()
  if (response.headersSent) return void response.end(`data: ${text}\n\n`)
  writeJson(response, text, message.method === 'initialize' ? { 'mcp-session-id': randomUUID() } : {})
}

function openStream(response: ServerResponse): void {
  writeSseHead(response)
  response.flushHeaders()
  streams.add(response)
  response.on('close', () => void streams.delete(response))
}

/** Begins as any server's: with what was asked for. */
function openSubscription(response: ServerResponse, { id, params }: Message): void {
  openStream(response)
  const _meta = { 'io.modelcontextprotocol/subscriptionId': id }
  const acknowledged = { notifications: params?.notifications, _meta }
  const event = { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: acknowledged }
  response.write(`data: ${JSON.stringify(event)}\n\n`)
}

async function writeProgress({ params }: Message, response: ServerResponse): Promise<void> {
  writeSseHead(response)
  const { arguments: input = { count: 0, pace: 'burst' } } = params ?? {}
  const { count, pace } = input as unknown as ProgressInput
  const progressToken = params?._meta?.progressToken
  await sendProgress({ count, pace }, (progress) => {
    const event = {
      method: 'notifications/progress',
      params: { progressToken, progress, total: count },
      jsonrpc: '2.0',
    }
    return writeEvent(response, JSON.stringify(event))
  })
}
