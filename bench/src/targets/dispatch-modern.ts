// What a transport of revision 2026-07-28 that cost nothing would reach: for each request a server object from the
// factory, bound to the revision by the SDK's own transport for one request. Of what is public this is the leanest:
// `createMcpHandler(…).fetch`, given a `Request` that was made before, checks headers too and takes some 15 % more.
import {
  type JSONRPCRequest,
  PerRequestHTTPServerTransport,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/server'
import { modernRevision, toModernRequest } from '../load/modern.ts'
import { type Message, readJson, writeJson } from './node-body.ts'
import { listen, type RunningTarget } from './running-target.ts'
import { createServer2 } from './server2.ts'

const supportedProtocolVersions = [...SUPPORTED_PROTOCOL_VERSIONS, modernRevision]
const classification = { era: 'modern', revision: modernRevision } as const

/** The SDK makes a `Response` of every answer; its text is what a server would send. */
async function dispatch(message: Message): Promise<string> {
  const server = createServer2({ supportedProtocolVersions })
  const transport = new PerRequestHTTPServerTransport({ classification })
  await server.connect(transport)
  const response = await transport.handleMessage(message as unknown as JSONRPCRequest)
  return response.text()
}

const template = JSON.parse(toModernRequest(0, 'tools/call', { name: 'echo', arguments: {} }).body) as Message
const lanes = 64
const turns = 10
let lastId = 0

/** As many calls in one turn of the event loop as there are connections in W1, and some turns of them. */
async function callEcho(): Promise<number> {
  for (let turn = 0; turn < turns; turn++) {
    await Promise.all(Array.from({ length: lanes }, (_, lane) => callOnce(++lastId, `hello from lane ${lane}`)))
    await new Promise((resolve) => setImmediate(resolve))
  }
  return turns * lanes
}

/** Looks only for what must be there: to parse the answer would cost, and no server does it. */
async function callOnce(id: number, text: string): Promise<void> {
  const answer = await dispatch({ ...template, id, params: { ...template.params, arguments: { text } } })
  if (answer.includes(`"text":"${text}"`) && answer.includes(`"id":${id}`)) return
  throw new Error(`Expected the answer to ${id} to be "${text}", got ${answer.slice(0, 200)}`)
}

/** To be called over `node:http`, or in its own process without. */
export async function startDispatchModern(): Promise<RunningTarget> {
  const url = await listen((request, response) => {
    readJson(request)
      .then(async (message) => writeJson(response, await dispatch(message)))
      .catch(() => response.destroy())
  })
  return { url, call: callEcho }
}
