import { setTimeout as sleep } from 'node:timers/promises'
import type { ModernAnswer } from './modern-answer.ts'
import { inputTools } from './modern-inputs.ts'
import type { Subscriptions } from './modern-subscriptions.ts'
import { type ModernDefects, ModernRefusal, type ModernRequest } from './modern-wire.ts'
import type { World } from './tools.ts'
import type { Json } from './wire.ts'

/** One call of a tool. */
export interface ModernCall {
  readonly request: ModernRequest
  readonly answer: ModernAnswer
  readonly subscriptions: Subscriptions
  readonly world: World
  readonly defects: ModernDefects
  /** Sends progress or a log message, where it belongs. */
  send(method: string, params: Json): void
}

export interface ModernTool {
  /** JSON schemas of the arguments. */
  readonly inputs: Readonly<Record<string, Json>>
  run(args: Json, call: ModernCall): string | Json | Promise<string | Json>
}

const text = { type: 'string' }
const whole = { type: 'integer' }
const levels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

function numberOf(args: Json, name: string, otherwise: number): number {
  const value = args[name]
  return typeof value === 'number' ? value : otherwise
}

function textOf(args: Json, name: string, otherwise = ''): string {
  const value = args[name]
  return typeof value === 'string' ? value : otherwise
}

/** Only for a client that asked for this level (Logging, Per-request log level). */
function log({ request: { logLevel }, send, defects }: ModernCall, level: string, data: string): void {
  const isBelow = logLevel !== undefined && levels.indexOf(level) < levels.indexOf(logLevel)
  if (isBelow && !defects.has('modern-logs-below-the-level')) return
  if (logLevel === undefined && !defects.has('modern-logs-without-a-level')) return
  send('notifications/message', { level, data })
}

async function logThrice(call: ModernCall): Promise<string> {
  for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
    log(call, 'info', data)
    await sleep(10, undefined, { signal: call.answer.signal })
  }
  return 'logged'
}

function report({ request, send, defects }: ModernCall, progress: number, total: number): void {
  const isInvented = request.params.name === 'burst' && defects.has('modern-progress-without-a-token')
  const progressToken = request.progressToken ?? (isInvented ? request.id : undefined)
  if (progressToken === undefined) return
  const isText = defects.has('modern-progress-tokens-become-text')
  const isRepeated = progress === 3 && defects.has('modern-progress-repeats-a-value')
  send('notifications/progress', {
    progressToken: isText ? String(progressToken) : progressToken,
    progress: isRepeated ? 2 : progress,
    total,
  })
}

async function burst(args: Json, call: ModernCall): Promise<string> {
  const count = numberOf(args, 'count', 20)
  for (let index = 1; index <= count; index++) {
    report(call, index, count)
    await sleep(numberOf(args, 'delayMs', 0), undefined, { signal: call.answer.signal })
  }
  return 'burst done'
}

/** Reports that it runs, so that its client has a stream to close. */
async function probe(args: Json, call: ModernCall): Promise<string> {
  const { probes } = call.world
  const key = textOf(args, 'key', 'default')
  probes.set(key, 'running')
  report(call, 1, 2)
  try {
    await sleep(numberOf(args, 'ms', 10_000), undefined, { signal: call.answer.signal })
  } catch (error) {
    probes.set(key, 'aborted')
    throw error
  }
  probes.set(key, 'finished')
  return 'finished'
}

function needSampling({ request, defects }: ModernCall): string {
  if (request.capabilities.sampling !== undefined) return 'sampling is there'
  const data = defects.has('modern-missing-capability-is-not-named') ? {} : { requiredCapabilities: { sampling: {} } }
  const status = defects.has('modern-missing-capability-is-200') ? 200 : 400
  throw new ModernRefusal(status, -32021, 'Missing required client capability: sampling', { data })
}

/** What the client is to ask its user is in the result; it comes back with the answer. */
function askUser({ send, request, defects }: ModernCall): Json | string {
  const params = { message: 'What is your name?', requestedSchema: { type: 'object', properties: { name: text } } }
  const question = { method: 'elicitation/create', params }
  if (defects.has('modern-asks-on-the-stream')) send('elicitation/create', params)
  const isAnswered = request.params.inputResponses !== undefined || request.capabilities.elicitation === undefined
  return isAnswered ? 'asked' : { resultType: 'input_required', inputRequests: { user_name: question } }
}

function touch(args: Json, { subscriptions }: ModernCall): string {
  const uri = textOf(args, 'uri', 'test://watched-resource')
  subscriptions.update(uri)
  return `updated ${uri}`
}

function announceTools(_: Json, { subscriptions }: ModernCall): string {
  subscriptions.announce('toolsListChanged')
  return 'announced'
}

function announcePrompts(_: Json, { subscriptions }: ModernCall): string {
  subscriptions.announce('promptsListChanged')
  return 'announced'
}

async function slow(args: Json, { answer }: ModernCall): Promise<string> {
  const ms = numberOf(args, 'ms', 1_000)
  await sleep(ms, undefined, { signal: answer.signal })
  return `slept ${ms}`
}

function count(args: Json, { world }: ModernCall): string {
  world.counter += numberOf(args, 'add', 1)
  return String(world.counter)
}

const mirrored = {
  region: { ...text, 'x-mcp-header': 'Region' },
  limit: { ...whole, 'x-mcp-header': 'Limit' },
  dry_run: { type: 'boolean', 'x-mcp-header': 'Dry-Run' },
}

export const modernTools: ReadonlyMap<string, ModernTool> = new Map<string, ModernTool>([
  ['test_simple_text', { inputs: {}, run: () => 'This is a simple text response for testing.' }],
  ['echo', { inputs: { text }, run: (args) => textOf(args, 'text') }],
  ['slow', { inputs: { ms: whole }, run: slow }],
  ['counter', { inputs: { add: whole }, run: count }],
  ['burst', { inputs: { count: whole, delayMs: whole }, run: burst }],
  ['abort_probe', { inputs: { key: text, ms: whole }, run: probe }],
  [
    'abort_query',
    { inputs: { key: text }, run: (args, { world }) => world.probes.get(textOf(args, 'key')) ?? 'unknown' },
  ],
  ['test_tool_with_logging', { inputs: {}, run: (_, call) => logThrice(call) }],
  ['test_logging_tool', { inputs: {}, run: (_, call) => logThrice(call) }],
  ['test_missing_capability', { inputs: {}, run: (_, call) => needSampling(call) }],
  ['test_missing_scope', { inputs: {}, run: () => 'nobody was asked for a token' }],
  ['test_x_mcp_header', { inputs: mirrored, run: (args) => JSON.stringify(args) }],
  ['test_streaming_elicitation', { inputs: {}, run: (_, call) => askUser(call) }],
  ['list_changed', { inputs: {}, run: announceTools }],
  ['test_trigger_tool_change', { inputs: {}, run: announceTools }],
  ['test_trigger_prompt_change', { inputs: {}, run: announcePrompts }],
  ['touch_resource', { inputs: { uri: text }, run: touch }],
  ...inputTools,
])

/** What `tools/list` answers to clients of 2026-07-28. */
export const modernToolList = [...modernTools].map(([name, { inputs }]) => ({
  name,
  description: `Role tool ${name}`,
  inputSchema: { type: 'object', properties: inputs },
}))
