import type { RoleTool } from '../src/roles.ts'

/** A server, or a framework for servers, as the npm registry has it. */
export interface Published {
  /** Short, for the head of a column. */
  readonly name: string
  /** With their exact versions. */
  readonly packages: Readonly<Record<string, string>>
  /** Arguments of Node: a file of `programs/`, or one of the packages. `$PORT` in them is a free port. */
  readonly args: readonly string[]
  /** Arguments of Node for what builds it, before each start. */
  readonly build?: readonly string[]
  /** Files that the build wants, and which of `programs/` they are. */
  readonly files?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  /** Of the endpoint. @default '127.0.0.1' */
  readonly host?: 'localhost'
  /** Bearer token that it wants. */
  readonly token?: string
  /** Its tools that play a role, with arguments. */
  readonly tools?: Readonly<Record<string, RoleTool>>
}

/** Tools of the small servers in `programs/`. */
const tiny = {
  echo: { tool: 'echo', args: {} },
  progress: { tool: 'count', args: {} },
  slow: { tool: 'wait', args: {} },
}

/** Those of `@modelcontextprotocol/server-everything`. */
const everything = {
  progress: { tool: 'trigger-long-running-operation', args: { duration: 0.5, steps: 5 } },
}

const everythingPackage = { '@modelcontextprotocol/server-everything': '2026.8.31' }
const everythingFile = 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'
const sdk1 = { '@modelcontextprotocol/sdk': '1.32.2' }
const hono = { hono: '4.13.19', '@hono/node-server': '2.1.9' }
const zod = { zod: '4.6.7' }

/** Servers that people run as they are. */
const servers: readonly Published[] = [
  {
    name: 'server-everything',
    packages: everythingPackage,
    args: [everythingFile, 'streamableHttp'],
    tools: everything,
  },
  {
    name: 'context7-mcp',
    packages: { '@upstash/context7-mcp': '4.1.1' },
    args: ['node_modules/@upstash/context7-mcp/dist/index.js', '--transport', 'http', '--port', '$PORT'],
  },
  {
    name: 'notion-mcp-server',
    packages: { '@notionhq/notion-mcp-server': '2.5.2' },
    args: [
      'node_modules/@notionhq/notion-mcp-server/bin/cli.mjs',
      ...['--transport', 'http', '--port', '$PORT', '--auth-token', 'secret-of-the-run'],
    ],
    token: 'secret-of-the-run',
  },
  {
    name: 'mongodb-mcp-server',
    packages: { 'mongodb-mcp-server': '3.0.4' },
    args: [
      'node_modules/mongodb-mcp-server/dist/esm/index.js',
      ...['--transport', 'http', '--httpPort', '$PORT', '--telemetry', 'disabled', '--loggers', 'stderr'],
    ],
  },
  {
    name: 'firecrawl-mcp',
    packages: { 'firecrawl-mcp': '3.26.0' },
    args: ['node_modules/firecrawl-mcp/dist/index.js'],
    env: { HTTP_STREAMABLE_SERVER: 'true', FIRECRAWL_API_KEY: 'none' },
  },
  {
    name: 'playwright-mcp',
    packages: { '@playwright/mcp': '0.0.83' },
    args: ['node_modules/@playwright/mcp/cli.js', '--port', '$PORT'],
    // Any other name is refused: its guard against DNS rebinding.
    host: 'localhost',
  },
  {
    name: 'git-mcp-server',
    packages: { '@cyanheads/git-mcp-server': '2.15.3' },
    args: ['node_modules/@cyanheads/git-mcp-server/dist/index.js'],
    env: { MCP_TRANSPORT_TYPE: 'http', MCP_HTTP_PORT: '$PORT', MCP_HTTP_HOST: '127.0.0.1' },
  },
]

/** What makes HTTP of a server on stdio, here `server-everything`. */
const bridges: readonly Published[] = [
  {
    name: 'mcp-proxy',
    packages: { 'mcp-proxy': '6.7.19', ...everythingPackage },
    args: ['node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs', '--port', '$PORT', '--', 'node', everythingFile, 'stdio'],
    tools: everything,
  },
  {
    name: 'supergateway',
    packages: { supergateway: '4.0.0', ...everythingPackage },
    args: [
      'node_modules/supergateway/dist/index.js',
      ...['--stdio', `node ${everythingFile} stdio`, '--outputTransport', 'streamableHttp', '--stateful'],
      ...['--port', '$PORT'],
    ],
    tools: everything,
  },
]

/** Each with the same three small tools, mounted as its README does. */
const frameworks: readonly Published[] = [
  {
    name: 'mcp-handler',
    packages: { 'mcp-handler': '2.4.0', '@modelcontextprotocol/server': '2.4.0', ...hono, ...zod },
    args: ['mcp-handler.mjs'],
    tools: tiny,
  },
  { name: 'fastmcp', packages: { fastmcp: '4.20.16', ...zod }, args: ['fastmcp.mjs'], tools: tiny },
  {
    name: 'mcp-framework',
    // It takes schemas of zod 3 alone.
    packages: { 'mcp-framework': '0.2.22', ...sdk1, zod: '3.25.76' },
    args: ['mcp-framework.mjs'],
    tools: tiny,
  },
  {
    name: '@mastra/mcp',
    packages: { '@mastra/mcp': '2.0.0', '@mastra/core': '1.71.0', ...zod },
    args: ['mastra.mjs'],
    tools: { echo: tiny.echo, slow: tiny.slow },
  },
  {
    name: 'tmcp',
    packages: { tmcp: '1.20.0', '@tmcp/transport-http': '0.9.0', '@tmcp/adapter-zod': '0.1.7', srvx: '1.0.8', ...zod },
    args: ['tmcp.mjs'],
    tools: tiny,
  },
  {
    name: 'fastify-mcp',
    packages: { 'fastify-mcp': '3.0.0', fastify: '5.12.8', ...sdk1, ...zod },
    args: ['fastify-mcp.mjs'],
    tools: tiny,
  },
  {
    name: 'express-mcp-handler',
    packages: { 'express-mcp-handler': '0.3.0', express: '5.3.0', ...sdk1, ...zod },
    args: ['express-mcp-handler.mjs'],
    tools: tiny,
  },
  { name: 'mcp-lite', packages: { 'mcp-lite': '0.10.0', ...hono, ...zod }, args: ['mcp-lite.mjs'], tools: tiny },
  { name: 'mcp-use', packages: { 'mcp-use': '2.5.2', ...zod }, args: ['mcp-use.mjs'], tools: tiny },
  {
    name: '@rekog/mcp-nest',
    packages: {
      '@rekog/mcp-nest': '2.0.5',
      '@nestjs/common': '11.2.10',
      '@nestjs/core': '11.2.10',
      '@nestjs/microservices': '11.2.6',
      '@nestjs/platform-express': '11.2.10',
      'reflect-metadata': '0.2.2',
      rxjs: '7.8.2',
      ...sdk1,
      ...zod,
    },
    args: ['nest.mjs'],
    tools: tiny,
  },
  {
    name: 'xmcp',
    packages: { xmcp: '1.1.3', '@xmcp-dev/compiler': '1.1.3', ...zod },
    files: {
      'xmcp.config.ts': 'xmcp-config.mjs',
      'src/tools/echo.ts': 'xmcp-echo.mjs',
      'src/tools/wait.ts': 'xmcp-wait.mjs',
    },
    build: ['node_modules/xmcp/dist/cli.js', 'build'],
    args: ['dist/http.js'],
    tools: { echo: tiny.echo, slow: tiny.slow },
  },
]

export const published: readonly Published[] = [...servers, ...bridges, ...frameworks]

/** What was tried and cannot be compared, with what it said. */
export const absent: readonly { readonly name: string; readonly reason: string }[] = [
  {
    name: 'elysia-mcp 0.1.1',
    reason: 'needs Bun: on Node, with `@elysiajs/node`, each initialize is answered 400 with `Bun is not defined`',
  },
  { name: 'agents 0.32.0', reason: 'needs the runtime of Cloudflare: Node cannot load its `cloudflare:` modules' },
  { name: 'muppet 0.2.2', reason: 'has the transport of revision 2024-11-05 alone' },
  { name: '@platformatic/mcp', reason: 'is not in the registry that this was made with' },
]
