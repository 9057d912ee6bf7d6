import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import {
  type CallToolResult,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  type Progress,
  ResourceUpdatedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { expect, test } from 'vitest'
import { createFixture, type Fixture } from '../src/fixture/server.ts'

async function connect(fixture: Fixture = createFixture()): Promise<Client> {
  const capabilities = { sampling: {}, elicitation: {}, roots: {} }
  const client = new Client({ name: 'test', version: '1.0.0' }, { capabilities })
  const [near, far] = InMemoryTransport.createLinkedPair()
  await fixture.createServer().connect(far)
  await client.connect(near)
  return client
}

/** Answers whatever the server asks. */
function answerEverything(client: Client): void {
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { answer: '42' } }))
  client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => {
    const [message] = params.messages
    return { role: 'assistant', model: 'test', content: { type: 'text', text: JSON.stringify(message?.content) } }
  })
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///root' }] }))
}

async function call(client: Client, name: string, args?: Record<string, unknown>): Promise<CallToolResult> {
  return (await client.callTool({ name, ...(args ? { arguments: args } : {}) })) as CallToolResult
}

function textOf(result: CallToolResult, index = 0): string {
  const item = result.content[index]
  return item?.type === 'text' ? item.text : `no text at ${index}`
}

async function callText(client: Client, name: string, args?: Record<string, unknown>): Promise<string> {
  return textOf(await call(client, name, args))
}

function collectLogs(client: Client): unknown[] {
  const logs: unknown[] = []
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void logs.push(params.data))
  return logs
}

test('declares exactly the capabilities of the official fixture', async () => {
  const client = await connect()
  expect(client.getServerCapabilities()).toEqual({
    tools: { listChanged: true },
    resources: { subscribe: true, listChanged: true },
    prompts: { listChanged: true },
    logging: {},
    completions: {},
  })
})

test('lists every tool of the official suite and of the roles', async () => {
  const { tools } = await (await connect()).listTools()
  expect(tools.map(({ name }) => name)).toEqual([
    'test_simple_text',
    'test_image_content',
    'test_audio_content',
    'test_embedded_resource',
    'test_multiple_content_types',
    'test_error_handling',
    'json_schema_2020_12_tool',
    'test_tool_with_progress',
    'test_tool_with_logging',
    'test_sampling',
    'test_elicitation',
    'test_elicitation_sep1034_defaults',
    'test_elicitation_sep1330_enums',
    'test_reconnection',
    'echo',
    'slow',
    'big',
    'unicode',
    'counter',
    'abort_probe',
    'abort_query',
    'throw_sync',
    'throw_after_progress',
    'whoami',
    'burst',
    'flood',
    'late_progress',
    'close_stream',
    'close_standalone',
    'push',
    'push_later',
    'touch_resource',
    'list_changed',
    'ask',
    'ask_sampling',
    'ask_roots',
    'ask_unrelated',
  ])
  for (const { description, inputSchema } of tools) {
    expect(description).toBeTruthy()
    expect(inputSchema.type).toBe('object')
  }
})

test('keeps JSON Schema 2020-12 keywords', async () => {
  const { tools } = await (await connect()).listTools()
  const schema = tools.find(({ name }) => name === 'json_schema_2020_12_tool')?.inputSchema
  expect(schema).toEqual({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    $defs: {
      address: {
        $anchor: 'addressDef',
        type: 'object',
        properties: { street: { type: 'string' }, city: { type: 'string' } },
      },
    },
    properties: {
      name: { type: 'string' },
      address: { $ref: '#/$defs/address' },
      contactMethod: { type: 'string', enum: ['phone', 'email'] },
      phone: { type: 'string' },
      email: { type: 'string' },
    },
    allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
    if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
    // biome-ignore lint/suspicious/noThenProperty: a JSON Schema keyword.
    then: { required: ['phone'] },
    else: { required: ['email'] },
    additionalProperties: false,
  })
})

test('every tool without required arguments succeeds without arguments', async () => {
  const client = await connect()
  answerEverything(client)
  const { tools } = await client.listTools()
  const failing = ['test_error_handling', 'throw_sync', 'throw_after_progress']
  const waiting = ['abort_probe']
  const callable = tools.filter(({ name, inputSchema }) => !inputSchema.required?.length && !waiting.includes(name))
  const results = await Promise.all(callable.map(async ({ name }) => ({ name, result: await call(client, name) })))
  const failed = results.filter(({ result }) => result.isError).map(({ name }) => name)
  expect(failed).toEqual(failing)
})

test('answers with a JSON-RPC error where a tool is unknown or is told to', async () => {
  const client = await connect()
  await expect(call(client, 'no_such_tool')).rejects.toMatchObject({ code: -32_602 })
  await expect(call(client, 'throw_sync', { as: 'error' })).rejects.toMatchObject({ code: -32_050 })
  const refused = await call(client, 'slow', { ms: -1 })
  expect(refused.isError).toBe(true)
})

test('burst numbers its progress from 1 when the client asked for progress', async () => {
  const client = await connect()
  const logs = collectLogs(client)
  const seen: Progress[] = []
  const params = { name: 'burst', arguments: { count: 3, bytes: 5 } }
  const result = await client.callTool(params, undefined, { onprogress: (progress) => void seen.push(progress) })
  expect(textOf(result as CallToolResult)).toBe('burst done')
  expect(seen).toEqual([1, 2, 3].map((progress) => ({ progress, total: 3, message: `burst:${progress} xxxxx` })))
  expect(logs).toEqual([])
})

test('burst and flood send log messages without a progress token, as far as the log level allows', async () => {
  const client = await connect()
  const logs = collectLogs(client)
  await call(client, 'burst', { count: 2 })
  await call(client, 'flood', { count: 2 })
  expect(logs).toEqual(['burst:1', 'burst:2', 'burst:1', 'burst:2'])
  await client.setLoggingLevel('error')
  await call(client, 'burst', { count: 2 })
  expect(logs).toHaveLength(4)
})

test.each([0, 1, 7, 100, 1_000, 70_001])('big gives a text of exactly %i bytes and its digest', async (bytes) => {
  const result = await call(await connect(), 'big', { bytes })
  const text = textOf(result)
  expect(Buffer.byteLength(text)).toBe(bytes)
  expect(textOf(result, 1)).toBe(createHash('sha256').update(text).digest('hex'))
})

test('servers of one fixture share the counter, those of another do not', async () => {
  const fixture = createFixture()
  const one = await connect(fixture)
  const two = await connect(fixture)
  const other = await connect()
  expect(await callText(one, 'counter')).toBe('1')
  expect(await callText(two, 'counter', { add: 2 })).toBe('3')
  expect(await callText(one, 'counter', { add: 0 })).toBe('3')
  expect(await callText(other, 'counter', { add: 0 })).toBe('0')
})

test('abort_query tells what became of a probe', async () => {
  const fixture = createFixture()
  const client = await connect(fixture)
  const observer = await connect(fixture)
  const query = (key: string) => callText(observer, 'abort_query', { key })
  expect(await query('a')).toBe('unknown')
  await call(client, 'abort_probe', { key: 'b', ms: 1 })
  expect(await query('b')).toBe('finished')

  const cancel = new AbortController()
  const probe = client.callTool({ name: 'abort_probe', arguments: { key: 'a' } }, undefined, { signal: cancel.signal })
  expect(await query('a')).toBe('running')
  cancel.abort('enough')
  await expect(probe).rejects.toThrow('enough')
  expect(await query('a')).toBe('aborted')
})

test('asks the client and returns its answers', async () => {
  const client = await connect()
  answerEverything(client)
  expect(await callText(client, 'ask')).toBe('answer:42')
  expect(await callText(client, 'ask_unrelated')).toBe('answer:42')
  expect(await callText(client, 'ask_sampling', { question: 'why?' })).toBe('sampled:{"type":"text","text":"why?"}')
  expect(await callText(client, 'ask_roots')).toBe('[{"uri":"file:///root"}]')
})

test('gives up asking after timeoutMs', async () => {
  const client = await connect()
  client.setRequestHandler(ElicitRequestSchema, () => new Promise(() => undefined))
  const result = await call(client, 'ask', { timeoutMs: 20 })
  expect(result.isError).toBe(true)
  expect(textOf(result)).toContain('timed out')
})

test('touch_resource announces only what the session subscribed to', async () => {
  const client = await connect()
  const updated: string[] = []
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri))
  const uri = 'test://watched-resource'
  expect(await callText(client, 'touch_resource')).toBe(`not subscribed ${uri}`)
  expect(await client.subscribeResource({ uri })).toEqual({})
  expect(await callText(client, 'touch_resource')).toBe(`updated ${uri}`)
  expect(await client.unsubscribeResource({ uri })).toEqual({})
  expect(await callText(client, 'touch_resource')).toBe(`not subscribed ${uri}`)
  expect(updated).toEqual([uri])
})

test('push_later pushes after it has answered', async () => {
  const client = await connect()
  const logs = collectLogs(client)
  const arrived = new Promise<void>((resolve) => {
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
      logs.push(params.data)
      if (logs.length === 2) resolve()
    })
  })
  expect(await callText(client, 'push_later', { ms: 20, count: 2, text: 'x' })).toBe('pushing 2 in 20')
  expect(logs).toEqual([])
  await arrived
  expect(logs).toEqual(['x:1', 'x:2'])
})

test('close_stream and close_standalone do without a transport that can close', async () => {
  const client = await connect()
  const logs = collectLogs(client)
  expect(await callText(client, 'close_stream', { times: 2, delayMs: 1 })).toBe('close_stream done 3')
  expect(logs).toEqual(['close_stream:1', 'close_stream:2', 'close_stream:3'])
  expect(await callText(client, 'close_standalone')).toBe('closed')
})

test('late tools survive a session that has ended', async () => {
  const client = await connect()
  await call(client, 'push_later', { ms: 5 })
  await call(client, 'late_progress')
  await client.close()
  // Nothing arrives that could be waited for: an unhandled rejection meanwhile would fail the run.
  await delay(120)
})

test('reads resources, and says so when there is none', async () => {
  const client = await connect()
  const { resources } = await client.listResources()
  expect(resources.map(({ uri }) => uri)).toEqual([
    'test://static-text',
    'test://static-binary',
    'test://watched-resource',
  ])
  const { contents } = await client.readResource({ uri: 'test://template/123/data' })
  expect(contents).toEqual([
    {
      uri: 'test://template/123/data',
      mimeType: 'application/json',
      text: '{"id":"123","templateTest":true,"data":"Data for ID: 123"}',
    },
  ])
  await expect(client.readResource({ uri: 'test://none' })).rejects.toMatchObject({ code: -32_002 })
})

test('fills in prompts and completes their arguments', async () => {
  const client = await connect()
  const name = 'test_prompt_with_arguments'
  const { messages } = await client.getPrompt({ name, arguments: { arg1: 'a', arg2: 'b' } })
  expect(messages).toEqual([
    { role: 'user', content: { type: 'text', text: "Prompt with arguments: arg1='a', arg2='b'" } },
  ])
  await expect(client.getPrompt({ name, arguments: { arg1: 'a' } })).rejects.toMatchObject({ code: -32_602 })
  const argument = { name: 'arg1', value: 'par' }
  const { completion } = await client.complete({ ref: { type: 'ref/prompt', name }, argument })
  expect(completion.values).toEqual(['paris', 'park', 'party'])
})
