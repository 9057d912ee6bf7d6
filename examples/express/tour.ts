import { existsSync, readdirSync } from 'node:fs'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { type CallToolResult, ElicitRequestSchema, ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js'
import colors from 'picocolors'
import { openLoopbackProxy } from './loopback-proxy.ts'
import { RestartingServer } from './restarting-server.ts'

/** The same server on every framework: each folder of the examples that can listen. */
const examples = new URL('../', import.meta.url)
const adapterNames = readdirSync(examples).filter((name) => existsSync(new URL(`${name}/listen.ts`, examples)))

const USAGE = `Usage: pnpm start [--adapter ${adapterNames.join('|')}] [--port N] [--backplane sqlite:FILE] [--once]

Starts an MCP server, drives it with the official client, then keeps serving.

  --adapter  framework it runs on (default express)
  --port N   port on 127.0.0.1 (default 3000; 0 takes a free one)
  --backplane sqlite:FILE  keep sessions and streams in this file: the server is killed in the middle of a call, too
  --once     exit after the tour: 0 when every step held, else 1
  --help     this text`

const STEP_LIMIT_MS = 20_000

// Colours only for a person who watches; picocolors itself also looks at CI and FORCE_COLOR.
const paint = colors.createColors(process.stdout.isTTY === true && process.env.NO_COLOR === undefined)

/** What a step of the tour found to be otherwise. */
class Unexpected extends Error {
  constructor(what: string, expected: unknown, found: unknown) {
    const show = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
    super(`${what}\n    expected  ${show(expected)}\n    found     ${show(found)}`)
  }
}

function expectSame(what: string, expected: unknown, found: unknown): void {
  if (!isDeepStrictEqual(expected, found)) throw new Unexpected(what, expected, found)
}

/** Runs one step within the time limit and prints its line. */
async function step(name: string, run: () => Promise<string>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Unexpected('The step did not end', `an end within ${STEP_LIMIT_MS / 1000} s`, 'none')),
      STEP_LIMIT_MS,
    )
  })
  try {
    const found = await Promise.race([run(), limit])
    console.log(`${paint.green('✓')} ${paint.bold(name.padEnd(9))} ${found}`)
  } catch (error) {
    console.log(`${paint.red('✗')} ${paint.bold(name.padEnd(9))} ${error instanceof Error ? error.message : error}`)
    throw error
  } finally {
    clearTimeout(timer)
  }
}

const textOf = (result: unknown) => {
  const first = (result as CallToolResult).content?.[0]
  return first?.type === 'text' ? first.text : JSON.stringify(result)
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

/** Drives the server with the official client, through a proxy whose sockets can be cut. `restart`: kills it, and starts it again. */
async function takeTour(port: number, restart?: () => Promise<void>): Promise<void> {
  const proxy = await openLoopbackProxy(port)
  const url = new URL(`http://127.0.0.1:${proxy.port}/mcp`)
  const client = new Client({ name: 'tour', version: '1.0.0' }, { capabilities: { elicitation: {} } })

  const resumedFrom: string[] = []
  let contentType = ''
  const watchingFetch = async (input: string | URL, init?: RequestInit) => {
    const lastEventId = new Headers(init?.headers).get('last-event-id')
    if (lastEventId !== null) resumedFrom.push(lastEventId)
    const response = await fetch(input, init)
    if (init?.method === 'POST') contentType = response.headers.get('content-type')?.split(';')[0] ?? ''
    return response
  }
  const transport = new StreamableHTTPClientTransport(url, { fetch: watchingFetch })

  const report = async (steps: number, stepMs: number, onProgress?: (progress: number) => void) => {
    const seen: number[] = []
    const result = await client.callTool({ name: 'report', arguments: { steps, stepMs } }, undefined, {
      onprogress: ({ progress }) => {
        seen.push(progress)
        onProgress?.(progress)
      },
    })
    return { seen, answer: textOf(result) }
  }

  try {
    await step('connect', async () => {
      await client.connect(transport)
      return `session ${transport.sessionId?.slice(0, 8)}…, protocol ${transport.protocolVersion}`
    })

    await step('list', async () => {
      const names = (await client.listTools()).tools.map((tool) => tool.name)
      expectSame('The tools', ['forecast', 'report', 'book'], names)
      return `tools: ${names.join(', ')}`
    })

    await step('call', async () => {
      const answer = textOf(await client.callTool({ name: 'forecast', arguments: { city: 'Lisbon' } }))
      expectSame('The answer', 'Lisbon: 14 °C, rain', answer)
      return `“${answer}”, answered as ${contentType}`
    })

    await step('progress', async () => {
      const { seen, answer } = await report(8, 120)
      expectSame('Progress received', upTo(8), seen)
      expectSame('The answer', 'report of 8 steps', answer)
      return `${seen.join(' ')} live, then the answer, as ${contentType}`
    })

    await step('ask', async () => {
      let question = ''
      client.setRequestHandler(ElicitRequestSchema, (request) => {
        question = request.params.message
        return { action: 'accept', content: { nights: 3 } }
      })
      const answer = textOf(await client.callTool({ name: 'book', arguments: { city: 'Porto' } }))
      expectSame('The answer', '3 nights in Porto', answer)
      return `the tool asked “${question}”, was told 3, answered “${answer}”`
    })

    await step('cut', async () => {
      const steps = 24
      const cutAt = 7
      let connections = 0
      const { seen, answer } = await report(steps, 120, (progress) => {
        if (progress === cutAt) connections = proxy.cut()
      })
      if (connections === 0) throw new Unexpected('Sockets cut', 'at least 1', connections)
      if (resumedFrom.length === 0) throw new Unexpected('Requests with Last-Event-ID', 'at least 1', 0)
      expectSame('Progress received, each number once and in order', upTo(steps), seen)
      expectSame('The answer', `report of ${steps} steps`, answer)
      return `${connections} sockets cut after ${cutAt}; resumed; 1–${steps} all came, none twice, then the answer`
    })

    if (restart) {
      await step('kill', async () => {
        const killAt = 7
        let restarting: Promise<void> | undefined
        const seen: number[] = []
        const began = performance.now()
        const call = client.callTool({ name: 'report', arguments: { steps: 24, stepMs: 120 } }, undefined, {
          onprogress: ({ progress }) => {
            seen.push(progress)
            if (progress === killAt) restarting = restart()
          },
        })
        const error = await call.then(
          (result) => new Unexpected('The call', 'an error', textOf(result)),
          (reason: unknown) => reason,
        )
        await restarting
        if (!(error instanceof McpError) || error.code === ErrorCode.RequestTimeout) throw error
        const seconds = ((performance.now() - began) / 1000).toFixed(1)
        expectSame('Progress received, each number once and in order', upTo(seen.length), seen)
        const answer = textOf(await client.callTool({ name: 'forecast', arguments: { city: 'Lisbon' } }))
        expectSame('The answer in the same session', 'Lisbon: 14 °C, rain', answer)
        return `killed with -9 after ${killAt} and started again; the call ended after ${seconds} s with “${error.message}”; the session goes on`
      })
    }

    await step('end', async () => {
      const headers = {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-session-id': transport.sessionId ?? '',
      }
      await transport.terminateSession()
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })
      const { status } = await fetch(url, { method: 'POST', headers, body })
      expectSame('Status of a call in the ended session', 404, status)
      return 'session ended; its id now answers 404'
    })
  } finally {
    await client.close()
    await proxy.close()
  }
}

/** Lines to paste into a shell, against the server that keeps running. */
function curlLines(port: number): string {
  const url = `http://127.0.0.1:${port}/mcp`
  const post = (body: object, ...more: string[]) =>
    [
      url,
      ...more,
      "-H 'Content-Type: application/json'",
      "-H 'Accept: application/json, text/event-stream'",
      `-d '${JSON.stringify({ jsonrpc: '2.0', ...body })}'`,
    ].join(' ')
  const initialize = {
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'curl', version: '1' } },
  }
  const forecast = { name: 'forecast', arguments: { city: 'Lisbon' } }
  const job = { name: 'report', arguments: { steps: 5, stepMs: 500 }, _meta: { progressToken: 'p' } }
  const inSession = '-H "$SESSION"'
  return [
    paint.dim('Open a session: shows headers and answer, and keeps the id in $SESSION'),
    `SESSION=$(curl -sSi ${post(initialize)} | tee /dev/stderr | grep -i '^mcp-session-id:' | tr -d '\\r'); echo`,
    `curl -sSi ${post({ method: 'notifications/initialized' }, inSession)}`,
    paint.dim('\nList the tools, call one, watch a long job'),
    `curl -sS ${post({ id: 2, method: 'tools/list' }, inSession)}; echo`,
    `curl -sS ${post({ id: 3, method: 'tools/call', params: forecast }, inSession)}; echo`,
    `curl -sSN ${post({ id: 4, method: 'tools/call', params: job }, inSession)}`,
    paint.dim('\nEnd the session'),
    `curl -sSi -X DELETE ${url} ${inSession}`,
  ].join('\n')
}

interface Arguments {
  readonly adapter: string
  readonly port: number
  readonly file: string | undefined
  readonly once: boolean
  readonly help: boolean
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      adapter: { type: 'string', default: 'express' },
      port: { type: 'string', default: '3000' },
      backplane: { type: 'string' },
      once: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const port = Number(values.port)
  if (!/^\d+$/.test(values.port) || port > 65_535) {
    throw new TypeError(`Expected --port to be a number from 0 to 65535, got "${values.port}"`)
  }
  if (!adapterNames.includes(values.adapter)) {
    throw new TypeError(`Expected --adapter to be one of ${adapterNames.join(', ')}, got "${values.adapter}"`)
  }
  const file = values.backplane?.replace(/^sqlite:(?=.)/, '')
  if (values.backplane !== undefined && file === values.backplane) {
    throw new TypeError(`Expected --backplane to be sqlite:FILE, got "${values.backplane}"`)
  }
  return { adapter: values.adapter, port, file, once: values.once, help: values.help }
}

interface Served {
  readonly framework: string
  readonly port: number
  close(): Promise<void>
  restart?(): Promise<void>
}

/** In this process; with a file in one of its own, that can be killed. */
async function serve({ adapter, port, file }: Arguments): Promise<Served> {
  const example = new URL(`${adapter}/listen.ts`, examples).href
  if (file === undefined) {
    const { listen, framework } = (await import(example)) as typeof import('./listen.ts')
    return { framework, ...(await listen(port)) }
  }
  const server = new RestartingServer(example, file, port)
  await server.start()
  return {
    framework: `${server.framework}, with its sessions in ${file},`,
    port: server.port,
    close: () => server.close(),
    async restart() {
      await server.kill()
      await server.start()
    },
  }
}

async function main(): Promise<number> {
  let options: ReturnType<typeof readArguments>
  try {
    options = readArguments()
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
    return 2
  }
  if (options.help) {
    console.log(USAGE)
    return 0
  }

  let served: Served
  try {
    served = await serve(options)
  } catch (error) {
    const taken = /EADDRINUSE/.test(String(error))
    const why = taken ? 'it is taken. Try --port 0' : error instanceof Error ? error.message : String(error)
    console.error(`Cannot listen on 127.0.0.1:${options.port}: ${why}`)
    return 1
  }
  const { framework, port, close, restart } = served

  console.log(`${framework} serves http://127.0.0.1:${port}/mcp\n`)
  try {
    await takeTour(port, restart)
  } catch (error) {
    // The failed step has printed its line already.
    if (!(error instanceof Unexpected)) console.error(error)
    await close()
    return 1
  }
  if (!options.once) {
    console.log(`\nStill serving; Ctrl+C ends it. To try by hand:\n\n${curlLines(port)}`)
    await new Promise<void>((resolve) => {
      process.once('SIGINT', resolve)
      process.once('SIGTERM', resolve)
    })
  }
  await close()
  return 0
}

process.exitCode = await main()
