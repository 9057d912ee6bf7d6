import type { IncomingMessage } from 'node:http'
import { capabilities, resources } from './mcp.ts'
import { askForPrompt } from './modern-inputs.ts'
import { listResources, listTemplates, listTools } from './modern-lists.ts'
import { type ModernCall, modernTools } from './modern-tools.ts'
import { checkParamHeaders, versions } from './modern-validation.ts'
import { type ModernDefects, ModernRefusal, metaKeys, modernVersion } from './modern-wire.ts'
import { isObject, type Json } from './wire.ts'

const serverInfo = { name: 'reference-server', version: '1.0.0' }
const hints = { ttlMs: 0, cacheScope: 'private' }
const prompts = [
  { name: 'test_simple_prompt', description: 'A prompt without arguments' },
  { name: 'test_input_required_result_prompt', description: 'A prompt that asks first' },
]

type Method = (call: ModernCall, about: { request: IncomingMessage; isOnly: boolean }) => Json | Promise<Json>

const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['server/discover', (call, { isOnly }) => ({ ...discover(call, isOnly), ...hints })],
  ['tools/list', (call, { request }) => listTools(call, request)],
  ['tools/call', callTool],
  ['resources/list', listResources],
  ['resources/templates/list', listTemplates],
  ['resources/read', readResource],
  ['prompts/list', () => ({ prompts, ...hints })],
  ['prompts/get', getPrompt],
])

/** Only a double has what it does not announce. */
const unannounced: Method = () => ({ completion: { values: ['throughline'] } })

/** The result of a request, complete with its type and the name of the server. */
export async function answerModern(
  call: ModernCall,
  about: { request: IncomingMessage; isOnly: boolean },
): Promise<Json> {
  const { method } = call.request
  const { defects } = call
  if (method === 'ping' && defects.has('modern-ping-is-answered')) return {}
  if (method === 'prompts/list' && defects.has('modern-announced-lists-are-unknown')) throw unknownMethod()
  const isHidden = method === 'completion/complete' && defects.has('modern-unannounced-is-served')
  const run = isHidden ? unannounced : methods.get(method)
  const isSpared = defects.has('modern-unknown-method-is-200') && method.startsWith('throughline/')
  if (!run) throw unknownMethod(isSpared ? 200 : 404)
  const result = await run(call, about)
  const isBare = method === 'tools/list' && defects.has('modern-results-have-no-type')
  const type = isBare ? {} : { resultType: 'complete' }
  const isNameless = method === 'prompts/list' && defects.has('modern-results-name-no-server')
  return { ...type, _meta: isNameless ? {} : { [metaKeys.serverInfo]: serverInfo }, ...result }
}

function unknownMethod(status = 404): ModernRefusal {
  return new ModernRefusal(status, -32601, 'Method not found')
}

function discover({ defects }: ModernCall, isOnly: boolean): Json {
  const supportedVersions = isOnly ? [modernVersion] : versions()
  return defects.has('modern-discover-has-no-capabilities')
    ? { supportedVersions }
    : { supportedVersions, capabilities: offered }
}

/** Completion is of earlier revisions only, so that there is something which is not announced. */
const { completions: _, ...offered } = capabilities

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
  if (!resource && defects.has('modern-unknown-resource-is-empty')) return { contents: [], ...hints }
  if (!resource) throw new ModernRefusal(200, missingCode(defects), 'Resource not found', missingData(uri, defects))
  const kept = defects.has('modern-reads-have-no-hints') ? {} : hints
  return { contents: [{ uri, mimeType: 'text/plain', text: `This is the content of ${resource.name}.` }], ...kept }
}

function missingCode(defects: ModernDefects): number {
  if (defects.has('modern-unknown-resource-is-32002')) return -32002
  return defects.has('modern-unknown-resource-is-32603') ? -32603 : -32602
}

function missingData(uri: unknown, defects: ModernDefects): { data?: Json } {
  return defects.has('modern-missing-resource-is-not-named') ? {} : { data: { uri } }
}

function getPrompt(call: ModernCall): Json {
  const { params } = call.request
  const question = params.name === 'test_input_required_result_prompt' ? askForPrompt(call) : undefined
  if (question !== undefined) return question
  if (!prompts.some(({ name }) => name === params.name)) throw new ModernRefusal(200, -32602, 'Prompt not found')
  return { messages: [{ role: 'user', content: { type: 'text', text: 'This is a simple prompt for testing.' } }] }
}
