// The script of a web app that uses the official clients. It runs in a page, to which `web-app.ts` brings it.
import {
  clientKinds,
  type InteropClient,
  modernClient,
  type Progress,
  statusOf,
  type ToolResult,
} from '../interop/clients.ts'

/** What a page may read of an answer. */
export interface Readable {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

/** A call, and how far it said to be on its way. */
export interface Called extends ToolResult {
  readonly progress: readonly number[]
}

/** The test listens to how far a call is, where it has to. */
declare const progressed: ((progress: number) => void) | undefined

const kinds = [...clientKinds, modernClient]
let connected: InteropClient | undefined

function client(): InteropClient {
  if (connected === undefined) throw new Error('Expected a client that is connected')
  return connected
}

async function connect(kindName: string, url: string, headers: Readonly<Record<string, string>> = {}) {
  const kind = kinds.find(({ name }) => name === kindName)
  if (kind === undefined) throw new RangeError(`Expected a kind of client, got "${kindName}"`)
  connected = await kind.connect(url, { headers })
  const { sessionId, protocolVersion } = connected
  return { hasSession: sessionId !== undefined, protocolVersion }
}

/** What the verbs of this page are, for the test. */
export type InPage = typeof inPage

const inPage = {
  connect,

  /** The status with which a client is refused; 0 when there is none for the page to see. */
  refusalOf: (...args: Parameters<typeof connect>): Promise<number> =>
    connect(...args).then(
      () => 200,
      (error: unknown) => statusOf(error) ?? 0,
    ),

  toolNames: async () => client().toolNames(),

  async call(name: string, args: Record<string, unknown> = {}, headers: Record<string, string> = {}): Promise<Called> {
    const progress: number[] = []
    const onprogress = (it: Progress): void => {
      progress.push(it.progress)
      if (typeof progressed === 'function') progressed(it.progress)
    }
    return { ...(await client().call(name, args, { onprogress, headers })), progress }
  },

  /** Calls a tool and cancels the call at its first progress. The error that comes of it. */
  async cancel(name: string, args: Record<string, unknown>): Promise<string> {
    const controller = new AbortController()
    const { signal } = controller
    const call = client().call(name, args, { signal, onprogress: () => controller.abort() })
    return call.then(({ text }) => `answered ${text}`, String)
  },

  listen: async () => client().listen(),

  /** Waits for changes of the tools that the server told of. */
  changes: async (count: number) => (await client().toolListChanged.count(count)).length,

  /** Whether the client came back to a stream that it had lost. */
  hasResumed: async () => client().sent.items.some(({ lastEventId }) => lastEventId !== null),

  async end(): Promise<void> {
    await client().terminate()
    await client().close()
  },

  /** A request without any client. */
  async request(url: string, init: RequestInit): Promise<Readable> {
    const response = await fetch(url, init)
    return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() }
  },
}

Object.assign(globalThis, { inPage })
