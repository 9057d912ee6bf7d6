import {
  type CallToolResult,
  completable,
  McpServer,
  ResourceTemplate,
  type ServerContext,
} from '@modelcontextprotocol/server'
import { z } from 'zod'
import { sleep } from '../../src/fixture/sleep.ts'

/** What all servers of one mount share: what became of each `abort_probe`. */
export type Probes = Map<string, 'running' | 'aborted'>

const instructions = { instructions: 'An interop server.' }
const watched = 'test://watched-resource'
const cities = ['paris', 'park', 'party']
const answerSchema = {
  type: 'object' as const,
  properties: { answer: { type: 'string' as const } },
  required: ['answer'],
}

/**
 * A server of `@modelcontextprotocol/server` 2.x, made the way its users make them. Its tools do what the tools of
 * the fixture with the same names do.
 */
export function createServerSdk2(probes: Probes): McpServer {
  const server = new McpServer(
    { name: 'interop-sdk-2', version: '1.0.0' },
    { ...instructions, capabilities: { logging: {}, resources: { subscribe: true, listChanged: true } } },
  )
  serveCalls(server, probes)
  serveStreams(server)
  serveQuestions(server)
  serveResources(server)
  servePrompts(server)
  return server
}

function text(content: string): CallToolResult {
  return { content: [{ type: 'text', text: content }] }
}

async function progress(ctx: ServerContext, index: number, total: number, message: string): Promise<void> {
  const progressToken = ctx.mcpReq._meta?.progressToken
  if (progressToken === undefined) return
  await ctx.mcpReq.notify({
    method: 'notifications/progress',
    params: { progressToken, progress: index, total, message },
  })
}

function serveCalls(server: McpServer, probes: Probes): void {
  server.registerTool('echo', { inputSchema: z.object({ text: z.string() }) }, (args) => text(args.text))
  server.registerTool('throw_sync', { inputSchema: z.object({}) }, () => {
    throw new Error('thrown at once')
  })
  server.registerTool('slow', { inputSchema: z.object({ ms: z.int() }) }, async ({ ms }, ctx) => {
    await sleep(ms, ctx.mcpReq.signal)
    return text(`slept ${ms}`)
  })
  server.registerTool('abort_probe', { inputSchema: z.object({ key: z.string() }) }, async ({ key }, ctx) => {
    probes.set(key, 'running')
    ctx.mcpReq.signal.addEventListener('abort', () => probes.set(key, 'aborted'))
    await sleep(60_000, ctx.mcpReq.signal)
    return text('finished')
  })
  server.registerTool('abort_query', { inputSchema: z.object({ key: z.string() }) }, ({ key }) =>
    text(probes.get(key) ?? 'unknown'),
  )
  server.registerTool('whoami', { inputSchema: z.object({}) }, (_, { http }) =>
    text(
      http?.authInfo ? JSON.stringify({ clientId: http.authInfo.clientId, scopes: http.authInfo.scopes }) : 'anonymous',
    ),
  )
  server.registerTool('header', { inputSchema: z.object({ name: z.string() }) }, ({ name }, { http }) =>
    text(http?.req?.headers.get(name) ?? 'no such header'),
  )
  server.registerTool('close_functions', { inputSchema: z.object({}) }, (_, { http }) =>
    text(`${typeof http?.closeSSE} ${typeof http?.closeStandaloneSSE}`),
  )
}

function serveStreams(server: McpServer): void {
  const burst = z.object({ count: z.int().default(20), delayMs: z.int().default(0) })
  server.registerTool('burst', { inputSchema: burst }, async ({ count, delayMs }, ctx) => {
    for (let index = 1; index <= count; index++) {
      await progress(ctx, index, count, `burst:${index}`)
      if (delayMs > 0) await sleep(delayMs, ctx.mcpReq.signal)
    }
    return text('burst done')
  })
  server.registerTool('test_tool_with_logging', { inputSchema: z.object({}) }, async (_, ctx) => {
    for (const step of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await ctx.mcpReq.log('info', step)
      await sleep(20, ctx.mcpReq.signal)
    }
    return text('Tool with logging executed successfully')
  })
  const polled = z.object({ times: z.int().default(1), delayMs: z.int().default(100) })
  server.registerTool('close_stream', { inputSchema: polled }, async ({ times, delayMs }, ctx) => {
    for (let index = 1; index <= times; index++) {
      await progress(ctx, index, times + 1, `close_stream:${index}`)
      ctx.http?.closeSSE?.()
      await sleep(delayMs, ctx.mcpReq.signal)
    }
    await progress(ctx, times + 1, times + 1, `close_stream:${times + 1}`)
    return text(`close_stream done ${times + 1}`)
  })
  server.registerTool('test_reconnection', { inputSchema: z.object({}) }, async (_, ctx) => {
    ctx.http?.closeSSE?.()
    await sleep(100, ctx.mcpReq.signal)
    return text('Reconnection test completed successfully.')
  })
  server.registerTool('close_standalone', { inputSchema: z.object({}) }, (_, ctx) => {
    ctx.http?.closeStandaloneSSE?.()
    return text('closed')
  })
  const pushed = z.object({ count: z.int().default(1), text: z.string().default('push') })
  server.registerTool('push', { inputSchema: pushed }, async ({ count, text: start }) => {
    for (let index = 1; index <= count; index++) {
      await server.server.notification({
        method: 'notifications/message',
        params: { level: 'info', data: `${start}:${index}` },
      })
    }
    return text(`pushed ${count}`)
  })
  server.registerTool('list_changed', { inputSchema: z.object({}) }, async () => {
    await server.server.sendToolListChanged()
    return text('list_changed sent')
  })
}

function serveQuestions(server: McpServer): void {
  const params = { message: 'What is the answer?', requestedSchema: answerSchema }
  server.registerTool('ask', { inputSchema: z.object({}) }, async (_, ctx) => {
    const { action, content } = await ctx.mcpReq.send({ method: 'elicitation/create', params })
    return text(action === 'accept' ? `answer:${content?.answer}` : `action:${action}`)
  })
  server.registerTool('ask_context', { inputSchema: z.object({}) }, async (_, ctx) => {
    const { content } = await ctx.mcpReq.elicitInput(params)
    return text(`answer:${content?.answer}`)
  })
  server.registerTool('ask_unrelated', { inputSchema: z.object({}) }, async () => {
    const { content } = await server.server.elicitInput(params)
    return text(`answer:${content?.answer}`)
  })
  server.registerTool('ask_sampling', { inputSchema: z.object({}) }, async (_, ctx) => {
    const messages = [{ role: 'user', content: { type: 'text', text: 'Say something' } }]
    const { content } = await ctx.mcpReq.send({
      method: 'sampling/createMessage',
      params: { messages, maxTokens: 100 },
    })
    const [first] = [content].flat()
    return text(`sampled:${first?.type === 'text' ? first.text : first?.type}`)
  })
  server.registerTool('ask_roots', { inputSchema: z.object({}) }, async (_, ctx) => {
    const { roots } = await ctx.mcpReq.send({ method: 'roots/list' })
    return text(JSON.stringify(roots))
  })
}

function serveResources(server: McpServer): void {
  const subscriptions = new Set<string>()
  server.registerResource('Static text resource', 'test://static-text', { mimeType: 'text/plain' }, (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'This is the content of the static text resource.' }],
  }))
  server.registerResource('Watched resource', watched, { mimeType: 'text/plain' }, (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'Watched resource content' }],
  }))
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined })
  server.registerResource('Resource template', template, {}, (uri, { id }) => ({
    contents: [{ uri: uri.href, mimeType: 'application/json', text: JSON.stringify({ id }) }],
  }))
  server.server.setRequestHandler('resources/subscribe', ({ params }) => {
    subscriptions.add(params.uri)
    return {}
  })
  server.server.setRequestHandler('resources/unsubscribe', ({ params }) => {
    subscriptions.delete(params.uri)
    return {}
  })
  server.registerTool('touch_resource', { inputSchema: z.object({}) }, async () => {
    if (!subscriptions.has(watched)) return text(`not subscribed ${watched}`)
    await server.server.sendResourceUpdated({ uri: watched })
    return text(`updated ${watched}`)
  })
}

function servePrompts(server: McpServer): void {
  const user = (content: string) => ({
    messages: [{ role: 'user' as const, content: { type: 'text' as const, text: content } }],
  })
  server.registerPrompt('test_simple_prompt', {}, () => user('This is a simple prompt for testing.'))
  const argsSchema = z.object({
    arg1: completable(z.string(), (value) => cities.filter((city) => city.startsWith(value))),
    arg2: z.string(),
  })
  server.registerPrompt('test_prompt_with_arguments', { argsSchema }, ({ arg1, arg2 }) =>
    user(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`),
  )
}
