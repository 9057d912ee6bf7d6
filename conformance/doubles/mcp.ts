import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Call } from './exchange.ts'
import type { Session } from './session.ts'
import { type Tool, toolList, tools, type World } from './tools.ts'
import { errorMessage, isObject, type Json, type Message, type RequestId, type Settings } from './wire.ts'

/** Answered as a JSON-RPC error, with the request's id. */
class RpcError extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export const capabilities = {
  tools: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  prompts: { listChanged: true },
  logging: {},
  completions: {},
}

const levels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

export const resources = [
  { uri: 'test://static-text', name: 'static-text', mimeType: 'text/plain' },
  { uri: 'test://watched-resource', name: 'watched-resource', mimeType: 'text/plain' },
]

type Method = (params: Json, session: Session, call: Call) => Json | Promise<Json>

/** The MCP server itself: as much of it as the checks ask for. */
export function createMethods(world: World, settings: Settings): ReadonlyMap<string, Method> {
  return new Map<string, Method>([
    ['ping', (_, session) => ping(session, settings)],
    ['tools/list', () => listTools(settings)],
    ['tools/call', (params, _, call) => callTool(params, call, world, settings)],
    ['resources/list', () => ({ resources })],
    ['resources/templates/list', () => ({ resourceTemplates: [] })],
    ['resources/read', (params) => readResource(params, settings)],
    ['resources/subscribe', subscribe],
    ['resources/unsubscribe', unsubscribe],
    ['prompts/list', () => ({ prompts: [{ name: 'test_simple_prompt', description: 'A prompt without arguments' }] })],
    ['prompts/get', getPrompt],
    ['completion/complete', () => ({ completion: { values: [], total: 0, hasMore: false } })],
    ['logging/setLevel', setLevel],
  ])
}

function textOf(params: Json, name: string): string {
  const value = params[name]
  if (typeof value !== 'string') throw new RpcError(-32602, `Invalid params: ${name} must be a string`)
  return value
}

async function ping({ calls }: Session, { defects }: Settings): Promise<Json> {
  const isBeside = [...calls].some(({ method }) => method !== 'ping')
  if (isBeside && defects.has('ping-waits-for-other-calls')) await sleep(2_500)
  return {}
}

function listTools({ defects }: Settings): Json {
  const [first, ...others] = toolList
  if (defects.has('tool-names-have-spaces')) return { tools: [{ ...first, name: 'two words' }, ...toolList] }
  if (defects.has('tool-names-come-twice')) return { tools: [first, first, ...others] }
  if (!defects.has('tools-lack-their-schema')) return { tools: toolList }
  return { tools: toolList.map(({ name, description }) => ({ name, description })) }
}

function setLevel(params: Json, session: Session): Json {
  const level = textOf(params, 'level')
  if (!levels.includes(level)) throw new RpcError(-32602, 'Invalid params: level')
  session.logLevel = level
  return {}
}

function subscribe(params: Json, { subscriptions }: Session): Json {
  subscriptions.add(textOf(params, 'uri'))
  return {}
}

function unsubscribe(params: Json, { subscriptions }: Session): Json {
  subscriptions.delete(textOf(params, 'uri'))
  return {}
}

function readResource(params: Json, { defects }: Settings): Json {
  const uri = textOf(params, 'uri')
  const resource = resources.find((candidate) => candidate.uri === uri)
  const code = defects.has('unknown-resource-is-invalid-params') ? -32602 : -32002
  if (!resource) throw new RpcError(code, 'Resource not found')
  return { contents: [{ uri, mimeType: 'text/plain', text: `This is the content of ${resource.name}.` }] }
}

function getPrompt(params: Json): Json {
  if (textOf(params, 'name') !== 'test_simple_prompt') throw new RpcError(-32602, 'Prompt not found')
  return { messages: [{ role: 'user', content: { type: 'text', text: 'This is a simple prompt for testing.' } }] }
}

/** A tool that throws has answered: with a result that says so (Tools, Error Handling). */
async function callTool(params: Json, call: Call, world: World, { defects }: Settings): Promise<Json> {
  const name = textOf(params, 'name')
  const tool: Tool | undefined = tools.get(name)
  if (!tool) throw new RpcError(-32602, `Unknown tool: ${name}`)
  const given = params.arguments ?? {}
  if (!isObject(given)) throw new RpcError(-32602, 'Invalid params: arguments must be an object')
  const args = defects.has('arguments-merged-with-prototype') ? mergeDeeply(world.defaultArguments, given) : given
  try {
    const output = await tool.run(args, call, world)
    return { content: typeof output === 'string' ? [{ type: 'text', text: output }] : output }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    const content = [{ type: 'text', text }]
    const hasProgress = call.exchange.isStreaming && call.progressToken !== undefined
    if (hasProgress && defects.has('errors-after-progress-look-like-results')) return { content }
    return { content, isError: true }
  }
}

/**
 * What a careless deep merge does: `__proto__` in the input reaches the object that all arguments inherit from. Here
 * that is an object of this server, not the prototype of the whole process.
 */
function mergeDeeply(shared: Record<string, unknown>, input: Json): Json {
  const merged: Record<string, unknown> = Object.create(shared)
  for (const [key, value] of Object.entries(input)) {
    if (key === '__proto__' && isObject(value)) Object.assign(shared, value)
    else merged[key] = value
  }
  return merged
}

/** Runs one request and gives its one answer to the exchange. Only a double has a cache. */
export async function runCall(
  request: Message,
  call: Call,
  methods: ReadonlyMap<string, Method>,
  cache: Map<RequestId, Message> | undefined,
): Promise<void> {
  const isKnown = request.params?.name === 'echo' || call.session.defects.has('stateless-clients-share-answers')
  const known = isKnown ? cache : undefined
  const answer = known?.get(call.id) ?? (await answerTo(request, call, methods))
  known?.set(call.id, answer)
  // A turn for what was read meanwhile: an answer that comes out of order shows in tests, not by luck.
  await nextTurn()
  call.exchange.answer(answer)
}

async function answerTo(request: Message, call: Call, methods: ReadonlyMap<string, Method>): Promise<Message> {
  const { id } = call
  const method = methods.get(request.method ?? '')
  if (!method) return errorMessage(-32601, 'Method not found', id)
  try {
    return { jsonrpc: '2.0', id, result: await method(request.params ?? {}, call.session, call) }
  } catch (error) {
    if (error instanceof RpcError) return errorMessage(error.code, error.message, id)
    return errorMessage(-32603, 'Internal error', id)
  }
}
