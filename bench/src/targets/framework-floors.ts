// Each framework's own cost: the canned answer of `floor`, mounted as an adapter mounts, without a body parser.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Adapter, BareAnswer } from '../../../conformance/mounts/adapter.ts'
import { answer } from './floor.ts'
import { readJson } from './node-body.ts'
import { listen, type RunningTarget } from './running-target.ts'

export async function startBare(serveBare: Adapter['serveBare'] & object): Promise<RunningTarget> {
  return { url: await listen(await serveBare(toAnswer)) }
}

async function toAnswer(request: IncomingMessage): Promise<BareAnswer> {
  if (request.method === 'DELETE') return { status: 200, text: undefined, headers: {} }
  const message = await readJson(request)
  const text = answer(message)
  if (text === undefined) return { status: 202, text, headers: {} }
  const session: Record<string, string> = message.method === 'initialize' ? { 'mcp-session-id': randomUUID() } : {}
  return { status: 200, text, headers: { 'content-type': 'application/json', ...session } }
}
