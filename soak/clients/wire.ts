import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'

export interface Sending {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body?: string | Uint8Array
  readonly agent?: Agent
  /** Milliseconds until the head of the reply must be there. */
  readonly timeoutMs: number
}

/** The head of a reply has come; its body has not been read. */
export interface Reply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly response: IncomingMessage
  /** Where the request went to, and when. */
  readonly sent: { readonly url: string; readonly at: number }
  /** Gives the connection up, with all that was to come. */
  leave(): void
}

/** No head of a reply came in time. */
export class NoReply extends Error {}

/** Sends a request, with nothing of `fetch` that could hide what happens on the wire. */
export async function send(url: string, sending: Sending): Promise<Reply> {
  try {
    return await sendOnce(url, sending)
  } catch (error) {
    // A server may close a connection that waits for the next request in the moment that comes.
    const isStale = sending.agent !== undefined && !(error instanceof NoReply)
    if (!isStale) throw error
    const { agent: _agent, ...anew } = sending
    return sendOnce(url, anew)
  }
}

function sendOnce(url: string, { method, headers, body, agent, timeoutMs }: Sending): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = { url, at: performance.now() }
    const outgoing = request(url, { method, headers: { ...headers }, agent: agent ?? false })
    const timer = setTimeout(() => {
      reject(new NoReply(`No reply to ${method} in ${timeoutMs} ms`))
      outgoing.destroy()
    }, timeoutMs)
    outgoing.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    outgoing.on('response', (response) => {
      clearTimeout(timer)
      resolve(toReply(response, outgoing, sent))
    })
    outgoing.end(body)
  })
}

function toReply(response: IncomingMessage, outgoing: ClientRequest, sent: Reply['sent']): Reply {
  // Whoever leaves expects resets, and sees by `close` that nothing more will come.
  response.on('error', () => undefined)
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    response,
    sent,
    leave: () => void outgoing.destroy(),
  }
}

/** The whole body. Rejects when the connection breaks first, or nothing comes for `timeoutMs`. */
export function readText({ response, leave }: Reply, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const timer = setTimeout(leave, timeoutMs)
    response.on('data', (chunk: Buffer) => {
      timer.refresh()
      chunks.push(chunk)
    })
    response.on('close', () => {
      clearTimeout(timer)
      if (response.complete) resolve(Buffer.concat(chunks).toString())
      else reject(new Error('The reply broke off'))
    })
  })
}

export function isStream({ headers }: Reply): boolean {
  return headers['content-type']?.startsWith('text/event-stream') ?? false
}

export function createAgent(): Agent {
  return new Agent({ keepAlive: true })
}
