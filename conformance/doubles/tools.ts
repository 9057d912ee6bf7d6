import { createHash } from 'node:crypto'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Call } from './exchange.ts'
import type { Json, Message } from './wire.ts'

/** What all sessions share. */
export interface World {
  counter: number
  readonly probes: Map<string, string>
  /** What all arguments inherit from, in one double. */
  readonly defaultArguments: Record<string, unknown>
}

type Content = readonly { readonly type: 'text'; readonly text: string }[]

/** A tool: its arguments with their types, and what it does. */
export interface Tool {
  readonly inputs: Readonly<Record<string, 'string' | 'integer'>>
  run(args: Json, call: Call, world: World): string | Content | Promise<string | Content>
}

function numberOf(args: Json, name: string, otherwise: number): number {
  const value = args[name] ?? otherwise
  if (!Number.isInteger(value)) throw new Error(`${name} must be a whole number`)
  return value as number
}

function textOf(args: Json, name: string, otherwise = ''): string {
  const value = args[name] ?? otherwise
  if (typeof value !== 'string') throw new Error(`${name} must be a string`)
  return value
}

function logMessage(data: string): Message {
  return { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } }
}

function isLogged({ session }: Call): boolean {
  return ['debug', 'info'].includes(session.logLevel)
}

function log(call: Call, data: string): void {
  if (isLogged(call)) call.exchange.send(logMessage(data))
}

function push(call: Call, data: string): void {
  if (isLogged(call)) call.session.push(logMessage(data))
}

/** The middle one of three, when somebody listens and nothing else goes on. */
function isLost({ session }: Call, index: number, count: number): boolean {
  if (!session.defects.has('second-of-three-pushes-lost')) return false
  return index === 2 && count === 3 && session.standalone.isConnected && session.calls.size === 1
}

function report(call: Call, progress: number, total: number, message: string): void {
  const { defects } = call.session
  const given = call.progressToken ?? (defects.has('progress-without-a-token') ? call.id : undefined)
  if (given === undefined) return
  const progressToken = defects.has('progress-tokens-become-text') ? String(given) : given
  const isStuck = progress === 13 && defects.has('progress-repeats-a-value')
  const value = isStuck ? 12 : defects.has('progress-is-a-text') ? String(progress) : progress
  const params = { progressToken, progress: value, total, message }
  call.exchange.send({ jsonrpc: '2.0', method: 'notifications/progress', params })
}

/** Progress for a client that asked for it, else a log message. */
function tell(call: Call, index: number, total: number, text: string): void {
  const isAsked = call.progressToken !== undefined || call.session.defects.has('progress-without-a-token')
  if (!isAsked) log(call, text)
  else report(call, index, total, text)
}

/** The same, and waits for the reader. */
async function sendNumbered(call: Call, index: number, total: number, text: string): Promise<void> {
  tell(call, index, total, text)
  await nextTurn()
  await call.exchange.drained()
}

async function runBurst(args: Json, call: Call, waits: boolean): Promise<string> {
  const count = numberOf(args, 'count', 20)
  const delayMs = numberOf(args, 'delayMs', 0)
  const bytes = numberOf(args, 'bytes', 0)
  for (let index = 1; index <= count; index++) {
    call.signal.throwIfAborted()
    const text = `burst:${index}${bytes > 0 ? ` ${'x'.repeat(bytes)}` : ''}`
    if (waits) await sendNumbered(call, index, count, text)
    else tell(call, index, count, text)
    if (delayMs > 0) await sleep(delayMs, undefined, { signal: call.signal })
  }
  return 'burst done'
}

const awkward = 'line\r\nnext\u2028sep\u2029 "quoted" \\back\\ tab\t nul\0 data: x 😀 é 漢 \r\n\r\n'

function makeBig(args: Json): Content {
  const bytes = numberOf(args, 'bytes', 1_048_576)
  const whole = awkward.repeat(Math.floor(bytes / Buffer.byteLength(awkward)))
  const text = whole + '.'.repeat(bytes - Buffer.byteLength(whole))
  const digest = createHash('sha256').update(text).digest('hex')
  return [
    { type: 'text', text },
    { type: 'text', text: digest },
  ]
}

async function probe(args: Json, { signal }: Call, { probes }: World): Promise<string> {
  const key = textOf(args, 'key', 'default')
  probes.set(key, 'running')
  try {
    await sleep(numberOf(args, 'ms', 10_000), undefined, { signal })
  } catch (error) {
    probes.set(key, 'aborted')
    throw error
  }
  probes.set(key, 'finished')
  return 'finished'
}

/** Asks the client on the call's own stream. */
async function ask(call: Call, args: Json, method: string, params: Json): Promise<Json> {
  checkMayAsk(call, method)
  if (!call.exchange.canAsk) throw new Error('A plain JSON answer cannot ask the client')
  const send = (message: Message): void => call.exchange.send(message)
  return call.session.ask(method, params, send, { signal: call.signal, timeoutMs: numberOf(args, 'timeoutMs', 60_000) })
}

const capabilityOf: Readonly<Record<string, string>> = {
  'elicitation/create': 'elicitation',
  'sampling/createMessage': 'sampling',
  'roots/list': 'roots',
}

/** Only what was negotiated may be used, and only once the client is ready (Lifecycle). */
function checkMayAsk({ session }: Call, method: string): void {
  const capability = capabilityOf[method] ?? ''
  const isNegotiated = session.handshake.clientCapabilities[capability] !== undefined
  if (!isNegotiated && !session.defects.has('capabilities-not-checked')) {
    throw new Error(`The client does not support ${capability}`)
  }
  if (!session.isInitialized) throw new Error('The client is not initialized')
}

function toQuestion(args: Json): Json {
  const properties = { answer: { type: 'string', description: 'The answer' } }
  const requestedSchema = { type: 'object', properties, required: ['answer'] }
  return { message: textOf(args, 'question', 'What is the answer?'), requestedSchema }
}

function toAnswer({ action, content }: Json): string {
  return action === 'accept' ? `answer:${(content as Json | undefined)?.answer}` : `action:${action}`
}

function toSampling(text: string): Json {
  return { messages: [{ role: 'user', content: { type: 'text', text } }], maxTokens: 100 }
}

function textOfSample({ content }: Json): unknown {
  return (content as Json | undefined)?.text
}

const burstInputs = { count: 'integer', delayMs: 'integer', bytes: 'integer' } as const

export const tools: ReadonlyMap<string, Tool> = new Map<string, Tool>([
  ['test_simple_text', { inputs: {}, run: () => 'This is a simple text response for testing.' }],
  ['echo', { inputs: { text: 'string' }, run: (args) => textOf(args, 'text') }],
  [
    'slow',
    {
      inputs: { ms: 'integer' },
      async run(args, { signal }) {
        const ms = numberOf(args, 'ms', 1_000)
        await sleep(ms, undefined, { signal })
        return `slept ${ms}`
      },
    },
  ],
  ['big', { inputs: { bytes: 'integer' }, run: makeBig }],
  [
    'unicode',
    {
      inputs: {},
      run: () => 'façade Ærø ψυχοφθόρα Съешь דג نص राक्षसों ไทย 我 漢 いろは 다람쥐 😀 👩‍👩‍👧‍👦 \u2028 \u2029 \u0085 \0',
    },
  ],
  [
    'counter',
    {
      inputs: { add: 'integer' },
      run(args, _, world) {
        world.counter += numberOf(args, 'add', 1)
        return String(world.counter)
      },
    },
  ],
  ['abort_probe', { inputs: { key: 'string', ms: 'integer' }, run: probe }],
  [
    'abort_query',
    {
      inputs: { key: 'string' },
      run: (args, _, { probes }) => probes.get(textOf(args, 'key', 'default')) ?? 'unknown',
    },
  ],
  ['whoami', { inputs: {}, run: () => 'anonymous' }],
  ['test_missing_scope', { inputs: {}, run: () => 'nobody was asked for a token' }],
  [
    'throw_sync',
    {
      inputs: {},
      run() {
        throw new Error('thrown at once')
      },
    },
  ],
  [
    'throw_after_progress',
    {
      inputs: {},
      async run(_, call) {
        await sendNumbered(call, 1, 2, 'about to throw')
        throw new Error('thrown after progress')
      },
    },
  ],
  [
    'test_error_handling',
    {
      inputs: {},
      run() {
        throw new Error('This tool intentionally returns an error for testing')
      },
    },
  ],
  [
    'test_tool_with_progress',
    {
      inputs: {},
      async run(_, call) {
        for (const progress of [0, 50, 100]) {
          if (progress > 0) await sleep(50, undefined, { signal: call.signal })
          report(call, progress, 100, `Completed step ${progress} of 100`)
        }
        return 'Progress test completed'
      },
    },
  ],
  [
    'test_tool_with_logging',
    {
      inputs: {},
      async run(_, call) {
        log(call, 'Tool execution started')
        await sleep(50, undefined, { signal: call.signal })
        log(call, 'Tool processing data')
        await sleep(50, undefined, { signal: call.signal })
        log(call, 'Tool execution completed')
        return 'Tool with logging executed successfully'
      },
    },
  ],
  [
    'test_sampling',
    {
      inputs: { prompt: 'string' },
      async run(args, call) {
        const result = await ask(call, args, 'sampling/createMessage', toSampling(textOf(args, 'prompt')))
        return `LLM response: ${textOfSample(result)}`
      },
    },
  ],
  [
    'test_elicitation',
    {
      inputs: { message: 'string' },
      async run(args, call) {
        const field = { type: 'string' }
        const requestedSchema = { type: 'object', properties: { username: field, email: field } }
        const params = { message: textOf(args, 'message'), requestedSchema }
        const { action, content } = await ask(call, args, 'elicitation/create', params)
        return `User response: action=${action}, content=${JSON.stringify(content ?? {})}`
      },
    },
  ],
  [
    'test_reconnection',
    {
      inputs: {},
      async run(_, call) {
        call.exchange.disconnect(call)
        await sleep(100, undefined, { signal: call.signal })
        return 'Reconnection test completed'
      },
    },
  ],
  ['burst', { inputs: burstInputs, run: (args, call) => runBurst(args, call, true) }],
  ['flood', { inputs: burstInputs, run: (args, call) => runBurst(args, call, false) }],
  [
    'late_progress',
    {
      inputs: {},
      async run(_, call) {
        await sendNumbered(call, 1, 3, 'in time')
        setTimeout(() => report(call, 2, 3, 'late'), 50)
        setTimeout(() => report(call, 3, 3, 'later'), 100)
        return 'late_progress done'
      },
    },
  ],
  [
    'close_stream',
    {
      inputs: { times: 'integer', delayMs: 'integer' },
      async run(args, call) {
        const total = numberOf(args, 'times', 1) + 1
        for (let index = 1; index < total; index++) {
          await sendNumbered(call, index, total, `close_stream:${index}`)
          call.exchange.disconnect(call)
          await sleep(numberOf(args, 'delayMs', 100), undefined, { signal: call.signal })
        }
        await sendNumbered(call, total, total, `close_stream:${total}`)
        return `close_stream done ${total}`
      },
    },
  ],
  [
    'close_standalone',
    {
      inputs: {},
      run(_, { session }) {
        session.standalone.disconnect()
        return 'closed'
      },
    },
  ],
  [
    'push',
    {
      inputs: { count: 'integer', text: 'string' },
      run(args, call) {
        const count = numberOf(args, 'count', 1)
        for (let index = 1; index <= count; index++) {
          if (!isLost(call, index, count)) push(call, `${textOf(args, 'text', 'push')}:${index}`)
        }
        return `pushed ${count}`
      },
    },
  ],
  [
    'push_later',
    {
      inputs: { ms: 'integer', count: 'integer', text: 'string' },
      run(args, call) {
        const count = numberOf(args, 'count', 1)
        const ms = numberOf(args, 'ms', 100)
        const text = textOf(args, 'text', 'push')
        setTimeout(() => {
          for (let index = 1; index <= count; index++) push(call, `${text}:${index}`)
        }, ms).unref()
        return `pushing ${count} in ${ms}`
      },
    },
  ],
  [
    'ask',
    {
      inputs: { question: 'string', timeoutMs: 'integer' },
      run: async (args, call) => toAnswer(await ask(call, args, 'elicitation/create', toQuestion(args))),
    },
  ],
  [
    'ask_sampling',
    {
      inputs: { question: 'string', timeoutMs: 'integer' },
      async run(args, call) {
        const result = await ask(call, args, 'sampling/createMessage', toSampling(textOf(args, 'question', 'What?')))
        return `sampled:${textOfSample(result)}`
      },
    },
  ],
  [
    'ask_roots',
    { inputs: {}, run: async (args, call) => JSON.stringify((await ask(call, args, 'roots/list', {})).roots) },
  ],
  [
    'ask_unrelated',
    {
      inputs: { question: 'string', timeoutMs: 'integer' },
      async run(args, call) {
        const { session } = call
        checkMayAsk(call, 'elicitation/create')
        const send = (message: Message): void => session.push(message)
        const limits = { signal: call.signal, timeoutMs: numberOf(args, 'timeoutMs', 60_000) }
        return toAnswer(await session.ask('elicitation/create', toQuestion(args), send, limits))
      },
    },
  ],
  [
    'touch_resource',
    {
      inputs: { uri: 'string' },
      run(args, { session }) {
        const uri = textOf(args, 'uri', 'test://watched-resource')
        if (!session.subscriptions.has(uri)) return `not subscribed ${uri}`
        session.push({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } })
        return `updated ${uri}`
      },
    },
  ],
  [
    'list_changed',
    {
      inputs: {},
      run(_, { session }) {
        session.push({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
        return 'list_changed sent'
      },
    },
  ],
])

/** What `tools/list` answers. */
export const toolList = [...tools].map(([name, { inputs }]) => ({
  name,
  description: `Role tool ${name}`,
  inputSchema: {
    type: 'object',
    properties: Object.fromEntries(Object.entries(inputs).map(([input, type]) => [input, { type }])),
  },
}))
