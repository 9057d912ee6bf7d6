import type { IncomingMessage } from 'node:http'
import { capabilities, resources } from './mcp.ts'
import { type ModernCall, modernToolList, modernTools } from './modern-tools.ts'
import { checkParamHeaders, versions } from './modern-validation.ts'
import { ModernRefusal, metaKeys, modernVersion } from './modern-wire.ts'
import { isObject, type Json } from './wire.ts'

const serverInfo = { name: 'reference-server', version: '1.0.0' }
const hints = { ttlMs: 0, cacheScope: 'private' }
const prompts = [{ name: 'test_simple_prompt', description: 'A prompt without arguments' }]

type Method = (call: ModernCall, about: { request: IncomingMessage; isOnly: boolean }) => Json | Promise<Json>

const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['server/discover', (call, { isOnly }) => ({ ...discover(call, isOnly), ...hints })],
  ['tools/list', ({ defects }) => ({ tools: modernToolList, ...(defects.has('modern-no-cache-hints') ? {} : hints) })],
  ['tools/call', callTool],
  ['resources/list', () => ({ resources, ...hints })],
  ['resources/templates/list', () => ({ resourceTemplates: [], ...hints })],
  ['resources/read', readResource],
  ['prompts/list', () => ({ prompts, ...hints })],
  ['prompts/get', getPrompt],
  ['completion/complete', () => ({ completion: { values: [], total: 0, hasMore: false } })],
])

/** The result of a request, complete with its type and the name of the server. */
export async function answerModern(
  call: ModernCall,
  about: { request: IncomingMessage; isOnly: boolean },
): Promise<Json> {
  const { method } = call.request
  const { defects } = call
  if (method === 'ping' && defects.has('modern-ping-is-answered')) return {}
  const run = methods.get(method)
  const isSpared = defects.has('modern-unknown-method-is-200') && method.startsWith('throughline/')
  if (!run) throw new ModernRefusal(isSpared ? 200 : 404, -32601, 'Method not found')
  const result = await run(call, about)
  const isBare = method === 'tools/list' && defects.has('modern-results-have-no-type')
  const type = isBare ? {} : { resultType: 'complete' }
  return { ...type, _meta: { [metaKeys.serverInfo]: serverInfo }, ...result }
}

function discover({ defects }: ModernCall, isOnly: boolean): Json {
  const supportedVersions = isOnly ? [modernVersion] : versions()
  return defects.has('modern-discover-has-no-capabilities')
    ? { supportedVersions }
    : { supportedVersions, capabilities }
}

/** A tool that throws has answered, as in every revision; what was refused is another matter. */
async function callTool(call: ModernCall, { request }: { request: IncomingMessage }): Promise<Json> {
  const { params } = call.request
  const tool = modernTools.get(String(params.name))
  if (!tool) {
    const isOld = call.defects.has('modern-legacy-error-codes-are-used')
    throw new ModernRefusal(200, isOld ? -32000 : -32602, `Unknown tool: ${params.name}`)
  }
  const args = isObject(params.arguments) ? params.arguments : {}
  checkParamHeaders(args, tool.inputs, { request, defects: call.defects })
  try {
    const output = await tool.run(args, call)
    return typeof output === 'string' ? { content: [{ type: 'text', text: output }] } : output
  } catch (error) {
    if (error instanceof ModernRefusal) throw error
    return { content: [{ type: 'text', text: error instanceof Error ? error.message : String(error) }], isError: true }
  }
}

function readResource({ request: { params }, defects }: ModernCall): Json {
  const { uri } = params
  const resource = resources.find((candidate) => candidate.uri === uri)
  const code = defects.has('modern-unknown-resource-is-32002') ? -32002 : -32602
  if (!resource) throw new ModernRefusal(200, code, 'Resource not found', { data: { uri } })
  return { contents: [{ uri, mimeType: 'text/plain', text: `This is the content of ${resource.name}.` }], ...hints }
}

function getPrompt({ request: { params } }: ModernCall): Json {
  if (params.name !== 'test_simple_prompt') throw new ModernRefusal(200, -32602, 'Prompt not found')
  return { messages: [{ role: 'user', content: { type: 'text', text: 'This is a simple prompt for testing.' } }] }
}
