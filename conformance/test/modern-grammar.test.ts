import { describe, expect, test } from 'vitest'
import { modernProblemOf } from '../src/client/modern-grammar.ts'

const hints = { ttlMs: 300_000, cacheScope: 'public' }
const tool = { name: 'get_weather', inputSchema: { type: 'object', properties: { city: { type: 'string' } } } }
const form = { type: 'object', properties: { name: { type: 'string', minLength: 20 } }, required: ['name'] }
const sampling = { messages: [{ role: 'user', content: { type: 'text', text: 'Hello' } }], maxTokens: 100 }
const inputRequests = {
  user: { method: 'elicitation/create', params: { message: 'Who?', requestedSchema: form } },
  page: { method: 'elicitation/create', params: { mode: 'url', message: 'Open', url: 'https://example.com/' } },
  model: { method: 'sampling/createMessage', params: sampling },
  roots: { method: 'roots/list' },
}

function answer(result: object): object {
  return { jsonrpc: '2.0', id: 1, result: { resultType: 'complete', ...result } }
}

function failure(error: object): object {
  return { jsonrpc: '2.0', id: 1, error }
}

const valid: readonly [string, object][] = [
  ['server/discover', answer({ supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, ...hints })],
  ['tools/list', answer({ tools: [tool], nextCursor: 'next', ...hints })],
  ['tools/call', answer({ content: [{ type: 'text', text: 'Sunny' }], structuredContent: 21, isError: false })],
  ['tools/call', answer({ resultType: 'input_required', inputRequests, requestState: 'sealed' })],
  ['tools/call', answer({ resultType: 'task', task: { id: 'of an extension' } })],
  [
    'prompts/get',
    answer({ messages: [{ role: 'user', content: { type: 'image', data: '', mimeType: 'image/png' } }] }),
  ],
  [
    'resources/read',
    answer({
      contents: [
        { uri: 'test://a', text: 'A' },
        { uri: 'test://b', blob: 'Qg==' },
      ],
      ...hints,
    }),
  ],
  ['resources/templates/list', answer({ resourceTemplates: [{ uriTemplate: 'test://{id}', name: 'one' }], ...hints })],
  ['completion/complete', answer({ completion: { values: ['a'], total: 1 } })],
  ['subscriptions/listen', answer({ _meta: { 'io.modelcontextprotocol/subscriptionId': 7 } })],
  ['vendor/method', answer({ anything: 1 })],
  ['tools/call', failure({ code: -32021, message: 'No', data: { requiredCapabilities: { sampling: {} } } })],
  [
    'notifications/progress',
    { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 0.5 } },
  ],
  ['notifications/tools/list_changed', { jsonrpc: '2.0', method: 'notifications/tools/list_changed' }],
]

const invalid: readonly [string, object, string][] = [
  ['server/discover', answer({ supportedVersions: ['2026-07-28'], ...hints }), '.result.capabilities is missing'],
  ['server/discover', { jsonrpc: '2.0', id: 1, result: {} }, '.result.resultType is missing'],
  ['tools/list', answer({ tools: [tool], ...hints, ttlMs: -1 }), '.result.ttlMs is no integer from 0'],
  [
    'tools/list',
    answer({ tools: [{ name: 'a', inputSchema: { type: 'string' } }], ...hints }),
    '.result.tools[0].inputSchema.type is none of object',
  ],
  ['tools/list', answer({ tools: [tool], ...hints, nextCursor: null }), '.result.nextCursor is no string'],
  ['tools/call', answer({ content: [{ type: 'text' }] }), '.result.content[0].text is missing'],
  ['tools/call', answer({ content: [{ type: 'video', url: '' }] }), '.result.content[0].type is "video"'],
  [
    'tools/call',
    answer({ resultType: 'input_required', inputRequests: { 'a b': { method: 'ping' } } }),
    '.result.inputRequests["a b"].method is "ping"',
  ],
  ['resources/read', answer({ contents: [{ uri: 'test://a' }], ...hints }), '.result.contents[0].text is missing'],
  [
    'completion/complete',
    answer({ completion: { values: Array(101).fill('a') } }),
    '.result.completion.values has more than 100 items',
  ],
  [
    'prompts/list',
    answer({ prompts: [], ...hints, _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'a' } } }),
    '.result._meta["io.modelcontextprotocol/serverInfo"].version is missing',
  ],
  ['tools/call', failure({ code: -32022, message: 'No' }), '.error.data is no object'],
  ['tools/call', failure({ code: '-1', message: 'No' }), '.error.code is no integer'],
  ['', { jsonrpc: '2.0', id: 1.5, result: { resultType: 'complete' } }, '.id is neither string nor integer'],
  ['', { jsonrpc: '2.0', id: 1, result: {}, error: {} }, 'has not exactly one of result and error'],
  ['', { jsonrpc: '2.0', id: 1, method: 'notifications/message', params: {} }, 'is a notification with an id'],
  [
    '',
    { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'loud', data: 1 } },
    '.params.level is none of debug, info, notice, warning, error, critical, alert, emergency',
  ],
  ['', { jsonrpc: '2.0', method: 'notifications/progress' }, '.params is missing'],
]

describe('the grammar of 2026-07-28', () => {
  test.each(valid)('takes %s: %j', (method, message) => {
    expect(modernProblemOf(message, method)).toBeUndefined()
  })

  test.each(invalid)('finds what is wrong with %s: %j', (method, message, problem) => {
    expect(modernProblemOf(message, method)).toBe(problem)
  })
})
