import {
  Client as Client2,
  type ClientOptions as ClientOptions2,
  SdkHttpError,
  StreamableHTTPClientTransport as Transport2,
} from '@modelcontextprotocol/client'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'
import {
  StreamableHTTPError,
  StreamableHTTPClientTransport as Transport1,
} from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Transport as AnyTransport1 } from '@modelcontextprotocol/sdk/shared/transport.js'
import {
  CallToolResultSchema,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { Inbox } from './inbox.ts'

export interface Progress {
  readonly progress: number
  readonly total?: number | undefined
  readonly message?: string | undefined
}

export interface CallOptions {
  readonly onprogress?: (progress: Progress) => void
  readonly signal?: AbortSignal
  readonly timeout?: number
  /** Headers of this call alone, which only `@modelcontextprotocol/client` sends. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface ToolResult {
  readonly text: string
  readonly isError: boolean
}

/** One HTTP exchange of a client, as its `fetch` saw it. */
export interface Sent {
  readonly method: string
  readonly lastEventId: string | null
  readonly version: string | null
  readonly status: number
  readonly contentType: string | null
}

/** What a client got without asking for it. */
export interface Received {
  readonly logs: Inbox<unknown>
  readonly updated: Inbox<string>
  readonly toolListChanged: Inbox<string>
  /** Methods of the requests that the server put to this client. */
  readonly asked: Inbox<string>
  readonly sent: Inbox<Sent>
}

export interface ConnectOptions {
  /** Declare no capability and answer no question. */
  readonly mute?: boolean
  readonly headers?: Readonly<Record<string, string>>
  /** Only `@modelcontextprotocol/client` can be told which revisions it knows. */
  readonly versions?: readonly string[]
}

/** One official client, whichever generation: the verbs that the tests use. */
export interface InteropClient extends Received {
  readonly protocolVersion: string | undefined
  readonly sessionId: string | undefined
  readonly serverName: string | undefined
  toolNames(): Promise<string[]>
  call(name: string, args?: Record<string, unknown>, options?: CallOptions): Promise<ToolResult>
  ping(): Promise<unknown>
  setLevel(level: 'debug' | 'info' | 'warning' | 'error'): Promise<unknown>
  subscribe(uri: string): Promise<unknown>
  unsubscribe(uri: string): Promise<unknown>
  complete(prompt: string, argument: string, value: string): Promise<readonly string[]>
  promptNames(): Promise<string[]>
  prompt(name: string, args?: Record<string, string>): Promise<unknown>
  resourceUris(): Promise<string[]>
  templateUris(): Promise<string[]>
  read(uri: string): Promise<unknown>
  /** Opens `subscriptions/listen` for changes of the list of tools. Whether the server agreed. */
  listen(): Promise<boolean>
  terminate(): Promise<void>
  /** Ends the connections, not the session. */
  close(): Promise<void>
  /** The same client object over a new transport: a new session. */
  connectAnew(): Promise<void>
}

export interface ClientKind {
  readonly name: string
  connect(url: string, options?: ConnectOptions): Promise<InteropClient>
}

const clientInfo = { name: 'interop', version: '1.0.0' }
const capabilities = { sampling: {}, elicitation: {}, roots: { listChanged: true } }
const answers = {
  elicitation: { action: 'accept' as const, content: { answer: '42' } },
  sampling: { role: 'assistant' as const, model: 'interop', content: { type: 'text' as const, text: 'sampled text' } },
  roots: { roots: [{ uri: 'file:///interop' }] },
}

/** Every way an official client can be set up to talk to a server of 2025. */
export const clientKinds: readonly ClientKind[] = [
  { name: 'SDK 1.x client', connect: connectSdk1 },
  { name: 'SDK 2.x client', connect: (url, options) => connectSdk2(url, options, {}) },
  {
    name: 'SDK 2.x client (auto)',
    connect: (url, options) => connectSdk2(url, options, { versionNegotiation: { mode: 'auto' } }),
  },
]

/** An official client that speaks 2026-07-28 and nothing else. */
export const modernClient: ClientKind = {
  name: 'SDK 2.x client (2026-07-28)',
  connect: (url, options) => connectSdk2(url, options, { versionNegotiation: { mode: { pin: '2026-07-28' } } }),
}

/** HTTP status of an error that a client threw. */
export function statusOf(error: unknown): number | undefined {
  if (error instanceof SdkHttpError) return error.status
  return error instanceof StreamableHTTPError ? error.code : undefined
}

function createReceived(): Received {
  return {
    logs: new Inbox(),
    updated: new Inbox(),
    toolListChanged: new Inbox(),
    asked: new Inbox(),
    sent: new Inbox(),
  }
}

/** `fetch` that remembers what was exchanged. */
function recordingFetch({ sent }: Received): (url: string | URL, init?: RequestInit) => Promise<Response> {
  return async (url, init) => {
    const response = await fetch(url, init)
    const headers = new Headers(init?.headers)
    sent.add({
      method: init?.method ?? 'GET',
      lastEventId: headers.get('last-event-id'),
      version: headers.get('mcp-protocol-version'),
      status: response.status,
      contentType: response.headers.get('content-type'),
    })
    return response
  }
}

function toToolResult(result: {
  readonly content?: readonly { readonly type: string; readonly text?: unknown }[]
  readonly isError?: boolean | undefined
}): ToolResult {
  const text = (result.content ?? []).map((item) => (item.type === 'text' ? String(item.text) : item.type)).join('\n')
  return { text, isError: result.isError === true }
}

async function connectSdk1(url: string, options: ConnectOptions = {}): Promise<InteropClient> {
  const received = createReceived()
  const client = new Client1(clientInfo, { capabilities: options.mute ? {} : capabilities })
  if (!options.mute) answerSdk1(client, received)
  listenSdk1(client, received)
  const transports: Transport1[] = []
  const transport = () => transports.at(-1) as Transport1
  const connectAnew = async () => {
    transports.push(
      new Transport1(new URL(url), {
        fetch: recordingFetch(received),
        ...(options.headers && { requestInit: { headers: { ...options.headers } } }),
      }),
    )
    // Its own type is not assignable under exactOptionalPropertyTypes.
    await client.connect(transport() as AnyTransport1)
  }
  await connectAnew()
  return {
    ...received,
    get protocolVersion() {
      return transport().protocolVersion
    },
    get sessionId() {
      return transport().sessionId
    },
    get serverName() {
      return client.getServerVersion()?.name
    },
    toolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, callOptions = {}) =>
      toToolResult(
        CallToolResultSchema.parse(await client.callTool({ name, arguments: args }, undefined, callOptions)),
      ),
    ping: () => client.ping(),
    setLevel: (level) => client.setLoggingLevel(level),
    subscribe: (uri) => client.subscribeResource({ uri }),
    unsubscribe: (uri) => client.unsubscribeResource({ uri }),
    complete: async (prompt, name, value) =>
      (await client.complete({ ref: { type: 'ref/prompt', name: prompt }, argument: { name, value } })).completion
        .values,
    promptNames: async () => (await client.listPrompts()).prompts.map(({ name }) => name),
    prompt: async (name, args = {}) => (await client.getPrompt({ name, arguments: args })).messages,
    resourceUris: async () => (await client.listResources()).resources.map(({ uri }) => uri),
    templateUris: async () =>
      (await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate),
    read: async (uri) => (await client.readResource({ uri })).contents,
    listen: () => Promise.reject(new Error('SDK 1.x has no subscriptions')),
    terminate: () => transport().terminateSession(),
    close: () => client.close(),
    async connectAnew() {
      await client.close()
      await connectAnew()
    },
  }
}

function listenSdk1(client: Client1, { logs, updated, toolListChanged }: Received): void {
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => logs.add(params.data))
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => updated.add(params.uri))
  client.setNotificationHandler(ToolListChangedNotificationSchema, ({ method }) => toolListChanged.add(method))
}

function answerSdk1(client: Client1, { asked }: Received): void {
  client.setRequestHandler(ElicitRequestSchema, ({ method }) => {
    asked.add(method)
    return answers.elicitation
  })
  client.setRequestHandler(CreateMessageRequestSchema, ({ method }) => {
    asked.add(method)
    return answers.sampling
  })
  client.setRequestHandler(ListRootsRequestSchema, ({ method }) => {
    asked.add(method)
    return answers.roots
  })
}

async function connectSdk2(
  url: string,
  options: ConnectOptions = {},
  clientOptions: ClientOptions2,
): Promise<InteropClient> {
  const received = createReceived()
  const client = new Client2(clientInfo, {
    ...clientOptions,
    capabilities: options.mute ? {} : capabilities,
    ...(options.versions && { supportedProtocolVersions: [...options.versions] }),
  })
  if (!options.mute) answerSdk2(client, received)
  listenSdk2(client, received)
  const transports: Transport2[] = []
  const transport = () => transports.at(-1) as Transport2
  const connectAnew = async () => {
    transports.push(
      new Transport2(new URL(url), {
        fetch: recordingFetch(received),
        ...(options.headers && { requestInit: { headers: { ...options.headers } } }),
      }),
    )
    await client.connect(transport())
  }
  await connectAnew()
  return {
    ...received,
    get protocolVersion() {
      return client.getNegotiatedProtocolVersion()
    },
    get sessionId() {
      return transport().sessionId
    },
    get serverName() {
      return client.getServerVersion()?.name
    },
    toolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, callOptions = {}) =>
      toToolResult(await client.callTool({ name, arguments: args }, callOptions)),
    ping: () => client.ping(),
    setLevel: (level) => client.setLoggingLevel(level),
    subscribe: (uri) => client.subscribeResource({ uri }),
    unsubscribe: (uri) => client.unsubscribeResource({ uri }),
    complete: async (prompt, name, value) =>
      (await client.complete({ ref: { type: 'ref/prompt', name: prompt }, argument: { name, value } })).completion
        .values,
    promptNames: async () => (await client.listPrompts()).prompts.map(({ name }) => name),
    prompt: async (name, args = {}) => (await client.getPrompt({ name, arguments: args })).messages,
    resourceUris: async () => (await client.listResources()).resources.map(({ uri }) => uri),
    templateUris: async () =>
      (await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate),
    read: async (uri) => (await client.readResource({ uri })).contents,
    listen: async () => (await client.listen({ toolsListChanged: true })).honoredFilter.toolsListChanged === true,
    terminate: () => transport().terminateSession(),
    close: () => client.close(),
    async connectAnew() {
      await client.close()
      await connectAnew()
    },
  }
}

function listenSdk2(client: Client2, { logs, updated, toolListChanged }: Received): void {
  client.setNotificationHandler('notifications/message', ({ params }) => logs.add(params.data))
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => updated.add(params.uri))
  client.setNotificationHandler('notifications/tools/list_changed', ({ method }) => toolListChanged.add(method))
}

function answerSdk2(client: Client2, { asked }: Received): void {
  client.setRequestHandler('elicitation/create', ({ method }) => {
    asked.add(method)
    return answers.elicitation
  })
  client.setRequestHandler('sampling/createMessage', ({ method }) => {
    asked.add(method)
    return answers.sampling
  })
  client.setRequestHandler('roots/list', ({ method }) => {
    asked.add(method)
    return answers.roots
  })
}
