import { isObject, type Json } from './json-rpc.ts'

/** A rule for a value: `undefined` when it holds, otherwise what is wrong. */
type Rule = (value: unknown) => string | undefined

const text: Rule = (value) => (typeof value === 'string' ? undefined : 'is no string')
const number: Rule = (value) => (typeof value === 'number' ? undefined : 'is no number')
const object: Rule = (value) => (isObject(value) ? undefined : 'is no object')
const present: Rule = (value) => (value === undefined ? 'is missing' : undefined)
const id: Rule = (value) => (isId(value) ? undefined : 'is neither string nor integer')
const logLevels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']
const level: Rule = (value) => (logLevels.includes(String(value)) ? undefined : 'is no log level')

function listOf(rule: Rule): Rule {
  return (value) => {
    if (!Array.isArray(value)) return 'is no array'
    return value.map((item, index) => prefixed(`[${index}]`, rule(item))).find((problem) => problem !== undefined)
  }
}

function shape(required: Readonly<Record<string, Rule>>, optional: Readonly<Record<string, Rule>> = {}): Rule {
  return (value) => {
    if (!isObject(value)) return 'is no object'
    for (const [key, rule] of Object.entries(required)) {
      const problem = rule(value[key])
      if (problem !== undefined) return prefixed(`.${key}`, problem)
    }
    for (const [key, rule] of Object.entries(optional)) {
      const problem = value[key] === undefined ? undefined : rule(value[key])
      if (problem !== undefined) return prefixed(`.${key}`, problem)
    }
    return undefined
  }
}

function prefixed(path: string, problem: string | undefined): string | undefined {
  return problem === undefined
    ? undefined
    : `${path}${problem.startsWith('.') || problem.startsWith('[') ? '' : ' '}${problem}`
}

function isId(value: unknown): boolean {
  return typeof value === 'string' || Number.isInteger(value)
}

const contentItem: Rule = (value) => {
  if (!isObject(value)) return 'is no object'
  if (value.type === 'text') return shape({ text })(value)
  if (value.type === 'image' || value.type === 'audio') return shape({ data: text, mimeType: text })(value)
  if (value.type === 'resource') return shape({ resource: shape({ uri: text }) })(value)
  if (value.type === 'resource_link') return shape({ uri: text, name: text })(value)
  return `has the unknown type ${JSON.stringify(value.type)}`
}

/** Of the arguments of a tool and of its structured content: both are objects, and the schema has to say so. */
const objectSchema: Rule = (value) => {
  if (!isObject(value)) return 'is no object'
  return value.type === 'object' ? undefined : `.type is ${JSON.stringify(value.type) ?? 'missing'}`
}

/** What the revision's schema says of the params of messages that a server sends. */
const paramsOf: Readonly<Record<string, Rule>> = {
  'notifications/progress': shape({ progressToken: id, progress: number }, { total: number, message: text }),
  'notifications/message': shape({ level, data: present }, { logger: text }),
  'notifications/cancelled': shape({}, { requestId: id, reason: text }),
  'notifications/resources/updated': shape({ uri: text }),
  'sampling/createMessage': shape({ messages: listOf(shape({ role: text })), maxTokens: number }),
  'elicitation/create': shape({ message: text }, { requestedSchema: object }),
}

const tool = shape({ name: text, inputSchema: objectSchema }, { description: text, outputSchema: objectSchema })

/** What the revision's schema says of results, by the method of the request. */
const resultOf: Readonly<Record<string, Rule>> = {
  initialize: shape({ protocolVersion: text, capabilities: object, serverInfo: shape({ name: text, version: text }) }),
  'tools/list': shape({ tools: listOf(tool) }, { nextCursor: text }),
  'tools/call': shape({ content: listOf(contentItem) }),
  'resources/list': shape({ resources: listOf(shape({ uri: text, name: text })) }, { nextCursor: text }),
  'resources/read': shape({ contents: listOf(shape({ uri: text })) }),
  'prompts/list': shape({ prompts: listOf(shape({ name: text })) }, { nextCursor: text }),
}

/**
 * What is wrong with a message a server sent; `undefined` when nothing is. `method` is that of the request it answers.
 * The grammar of the envelope is complete; of params and results it covers what tools of servers commonly send.
 */
export function problemOf(message: unknown, method?: string): string | undefined {
  if (!isObject(message)) return 'is no object'
  if (message.jsonrpc !== '2.0') return `.jsonrpc is ${JSON.stringify(message.jsonrpc)}`
  if ('method' in message) return problemOfCall(message)
  return problemOfResponse(message, method)
}

function problemOfCall(message: Json): string | undefined {
  if (typeof message.method !== 'string') return '.method is no string'
  if ('result' in message || 'error' in message) return 'has a method and a result or error'
  if ('id' in message && !isId(message.id)) return `.id is ${JSON.stringify(message.id)}`
  // Without an id any method is a notification: vendors name theirs as they like.
  if (message.method.startsWith('notifications/') && 'id' in message) return 'is a notification with an id'
  if (message.params !== undefined && !isObject(message.params)) return '.params is no object'
  return prefixed('.params', paramsOf[message.method]?.(message.params))
}

function problemOfResponse(message: Json, method: string | undefined): string | undefined {
  if ('result' in message === 'error' in message) return 'has not exactly one of result and error'
  if ('id' in message ? !isId(message.id) : 'result' in message) return `.id is ${JSON.stringify(message.id)}`
  if ('result' in message) return prefixed('.result', (resultOf[method ?? ''] ?? object)(message.result))
  const code: Rule = (value) => (Number.isInteger(value) ? undefined : 'is no integer')
  return prefixed('.error', shape({ code, message: text })(message.error))
}
