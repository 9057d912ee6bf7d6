import { isObject, type Json } from './json-rpc.ts'
import {
  between,
  boolean,
  both,
  byMember,
  either,
  id,
  integer,
  isId,
  listOf,
  mapOf,
  number,
  object,
  oneOf,
  prefixed,
  present,
  type Rule,
  type Rules,
  shape,
  text,
  wholeFrom,
} from './modern-rules.ts'

const envelope = 'io.modelcontextprotocol'
const role = oneOf('user', 'assistant')
const logLevel = oneOf('debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency')

const icons = listOf(shape({ src: text }, { mimeType: text, sizes: listOf(text), theme: oneOf('light', 'dark') }))
const named: Rules = { title: text, icons, description: text }
const implementation = shape({ name: text, version: text }, { ...named, websiteUrl: text })
const annotations = shape({}, { audience: listOf(role), priority: between(0, 1), lastModified: text })
const annotated: Rules = { annotations, _meta: object }

const resource = shape({ uri: text, name: text }, { ...named, ...annotated, mimeType: text, size: integer })
const resourceTemplate = shape({ uriTemplate: text, name: text }, { ...named, ...annotated, mimeType: text })
const readable: Rules = { mimeType: text, _meta: object }
const contents = either(shape({ uri: text, blob: text }, readable), shape({ uri: text, text }, readable))

const media = shape({ data: text, mimeType: text }, annotated)
const simpleContent: Rules = { text: shape({ text }, annotated), image: media, audio: media }
const content = byMember('type', {
  ...simpleContent,
  resource: shape({ resource: contents }, annotated),
  resource_link: resource,
})
const toolResult: Rules = { structuredContent: present, isError: boolean, _meta: object }
const sampledContent = byMember('type', {
  ...simpleContent,
  tool_use: shape({ id: text, name: text, input: object }, { _meta: object }),
  tool_result: shape({ toolUseId: text, content: listOf(content) }, toolResult),
})

const schema: Rules = { $schema: text }
const hints = ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'].map((hint) => [hint, boolean])
const tool = shape(
  { name: text, inputSchema: shape({ type: oneOf('object') }, schema) },
  {
    ...named,
    outputSchema: shape({}, schema),
    annotations: shape({}, { title: text, ...Object.fromEntries(hints) }),
    _meta: object,
  },
)
const argument = shape({ name: text }, { title: text, description: text, required: boolean })
const prompt = shape({ name: text }, { ...named, arguments: listOf(argument), _meta: object })

const flag = (...names: readonly string[]): Rule => shape({}, Object.fromEntries(names.map((name) => [name, boolean])))
const capabilities = shape(
  {},
  {
    experimental: mapOf(object),
    extensions: mapOf(object),
    logging: object,
    completions: object,
    prompts: flag('listChanged'),
    resources: flag('subscribe', 'listChanged'),
    tools: flag('listChanged'),
  },
)

/** What a form may ask for. */
const labelled: Rules = { title: text, description: text }
const choice = shape({ const: text, title: text })
const several: Rules = { ...labelled, minItems: integer, maxItems: integer, default: listOf(text) }
const options = either(shape({ anyOf: listOf(choice) }), shape({ type: oneOf('string'), enum: listOf(text) }))
const numeric = shape({}, { ...labelled, minimum: number, maximum: number, default: number })
const bounded: Rules = { minLength: integer, maxLength: integer, format: oneOf('email', 'uri', 'date', 'date-time') }
const worded: Rules = { ...labelled, default: text }
const field = byMember('type', {
  // Unions of the schema: a string with bounds, or one of several choices that bounds do not concern.
  string: either(
    shape({ enum: listOf(text) }, worded),
    shape({ oneOf: listOf(choice) }, worded),
    shape({}, { ...worded, ...bounded }),
  ),
  number: numeric,
  integer: numeric,
  boolean: shape({}, { ...labelled, default: boolean }),
  array: shape({ items: options }, several),
})
const form = shape(
  {
    message: text,
    requestedSchema: shape({ type: oneOf('object'), properties: mapOf(field) }, { ...schema, required: listOf(text) }),
  },
  { mode: oneOf('form') },
)
const elicitation = either(shape({ mode: oneOf('url'), message: text, url: text }), form)

const sampledMessage = shape({ role, content: either(listOf(sampledContent), sampledContent) }, { _meta: object })
const priority = between(0, 1)
const preferences = shape(
  {},
  {
    hints: listOf(shape({}, { name: text })),
    costPriority: priority,
    speedPriority: priority,
    intelligencePriority: priority,
  },
)
const sampling = shape(
  { messages: listOf(sampledMessage), maxTokens: integer },
  {
    modelPreferences: preferences,
    systemPrompt: text,
    includeContext: oneOf('none', 'thisServer', 'allServers'),
    temperature: number,
    stopSequences: listOf(text),
    metadata: object,
    tools: listOf(tool),
    toolChoice: shape({}, { mode: oneOf('auto', 'required', 'none') }),
  },
)

const inputRequests = mapOf(
  byMember('method', {
    'elicitation/create': shape({ params: elicitation }),
    'sampling/createMessage': shape({ params: sampling }),
    'roots/list': shape({}, { params: shape({}, { _meta: object }) }),
  }),
)

const result = shape({ resultType: text }, { _meta: shape({}, { [`${envelope}/serverInfo`]: implementation }) })
const inputRequired = shape({}, { inputRequests, requestState: text })
const cacheable: Rules = { ttlMs: wholeFrom(0), cacheScope: oneOf('public', 'private') }

function listResult(member: string, rule: Rule): Rule {
  return shape({ ...cacheable, [member]: listOf(rule) }, { nextCursor: text })
}

/** Results, by the method of the request. */
const resultOf: ReadonlyMap<string, Rule> = new Map([
  ['server/discover', shape({ ...cacheable, supportedVersions: listOf(text), capabilities }, { instructions: text })],
  ['tools/list', listResult('tools', tool)],
  ['tools/call', shape({ content: listOf(content) }, { isError: boolean })],
  ['prompts/list', listResult('prompts', prompt)],
  ['prompts/get', shape({ messages: listOf(shape({ role, content })) }, { description: text })],
  ['resources/list', listResult('resources', resource)],
  ['resources/templates/list', listResult('resourceTemplates', resourceTemplate)],
  ['resources/read', shape({ ...cacheable, contents: listOf(contents) })],
  [
    'completion/complete',
    shape({ completion: shape({ values: listOf(text, 100) }, { total: integer, hasMore: boolean }) }),
  ],
  ['subscriptions/listen', shape({ _meta: shape({ [`${envelope}/subscriptionId`]: id }) })],
])

/** What may be asked of the client before these are complete. */
const asking: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])

const filter = shape(
  {},
  {
    toolsListChanged: boolean,
    promptsListChanged: boolean,
    resourcesListChanged: boolean,
    resourceSubscriptions: listOf(text),
  },
)

/** Params of notifications that a server sends. */
const paramsOf: ReadonlyMap<string, Rule> = new Map([
  ['notifications/cancelled', shape({ requestId: id }, { reason: text })],
  ['notifications/progress', shape({ progressToken: id, progress: number }, { total: number, message: text })],
  ['notifications/message', shape({ level: logLevel, data: present }, { logger: text })],
  ['notifications/resources/updated', shape({ uri: text })],
  ['notifications/subscriptions/acknowledged', shape({ notifications: filter })],
])

const notificationMeta = shape({}, { _meta: shape({}, { [`${envelope}/subscriptionId`]: id }) })

const clientCapabilities = shape(
  {},
  {
    experimental: mapOf(object),
    extensions: mapOf(object),
    roots: object,
    sampling: shape({}, { context: object, tools: object }),
    elicitation: shape({}, { form: object, url: object }),
  },
)

/** What the schema says of `data`, by the code of the error. */
const dataOf: ReadonlyMap<unknown, Rule> = new Map([
  [-32021, shape({ requiredCapabilities: clientCapabilities })],
  [-32022, shape({ supported: listOf(text), requested: text })],
])

/**
 * What is wrong with a message that a server of 2026-07-28 sent; `undefined` when nothing is. `method` is that of the
 * request it answers. The grammar is that of the schema of the revision, but for the formats of texts; what extensions
 * add, types of results and methods of their own, is left to them.
 */
export function modernProblemOf(message: unknown, method?: string): string | undefined {
  if (!isObject(message)) return 'is no object'
  if (message.jsonrpc !== '2.0') return `.jsonrpc is ${JSON.stringify(message.jsonrpc)}`
  if ('method' in message) return problemOfCall(message)
  return problemOfResponse(message, method ?? '')
}

function problemOfCall(message: Json): string | undefined {
  if (typeof message.method !== 'string') return '.method is no string'
  if ('id' in message && !isId(message.id)) return '.id is neither string nor integer'
  if (message.method.startsWith('notifications/') && 'id' in message) return 'is a notification with an id'
  const rule = paramsOf.get(message.method)
  if (!('params' in message)) return rule === undefined ? undefined : '.params is missing'
  return prefixed('.params', both(notificationMeta, rule ?? object)(message.params))
}

function problemOfResponse(message: Json, method: string): string | undefined {
  if ('result' in message === 'error' in message) return 'has not exactly one of result and error'
  if ('result' in message) return problemOfResult(message, method)
  if ('id' in message && !isId(message.id)) return '.id is neither string nor integer'
  const problem = prefixed('.error', shape({ code: integer, message: text })(message.error))
  if (problem !== undefined || !isObject(message.error)) return problem
  return prefixed('.error.data', dataOf.get(message.error.code)?.(message.error.data))
}

function problemOfResult(message: Json, method: string): string | undefined {
  if (!isId(message.id)) return '.id is neither string nor integer'
  const problem = result(message.result)
  if (problem !== undefined || !isObject(message.result)) return prefixed('.result', problem)
  return prefixed('.result', ruleFor(message.result, method)?.(message.result))
}

function ruleFor({ resultType }: Json, method: string): Rule | undefined {
  if (resultType === 'complete') return resultOf.get(method)
  return resultType === 'input_required' && asking.has(method) ? inputRequired : undefined
}
