import { Pool } from 'undici'
import { checkAnswer, initializedText, initializeText, toCall } from '../load/messages.ts'

const headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' }

/** Speaks to one node, over a bounded number of connections. */
export class NodeClient {
  readonly #pool: Pool
  readonly #path: string
  readonly #connections: number

  constructor(url: string, connections = 16) {
    const { origin, pathname } = new URL(url)
    this.#pool = new Pool(origin, { connections, pipelining: 1 })
    this.#path = pathname
    this.#connections = connections
  }

  async open(): Promise<string> {
    const response = await this.#pool.request({ path: this.#path, method: 'POST', headers, body: initializeText })
    await response.body.text()
    const sessionId = response.headers['mcp-session-id']
    if (typeof sessionId !== 'string') throw new Error(`Expected a session, got status ${response.statusCode}`)
    await this.post(sessionId, initializedText)
    return sessionId
  }

  async post(sessionId: string, body: string): Promise<string> {
    const sent = { ...headers, 'mcp-session-id': sessionId }
    const response = await this.#pool.request({ path: this.#path, method: 'POST', headers: sent, body })
    const text = await response.body.text()
    if (response.statusCode >= 300) throw new Error(`Expected a result, got status ${response.statusCode}: ${text}`)
    return text
  }

  /** An echo in each session, so often, as many at once as there are connections. */
  async echo(sessionIds: readonly string[], times = 1): Promise<void> {
    const total = sessionIds.length * times
    let next = 0
    const work = async (): Promise<void> => {
      for (let id = next++; id < total; id = next++) {
        const text = `echo ${id}`
        const answer = await this.post(sessionIds[id % sessionIds.length] as string, toCall(id, 'echo', { text }))
        checkAnswer(answer, id, text)
      }
    }
    await Promise.all(Array.from({ length: this.#connections }, work))
  }

  async openAll(count: number): Promise<string[]> {
    const opened: string[] = []
    const work = async (): Promise<void> => {
      while (opened.length < count) opened.push(await this.open())
    }
    await Promise.all(Array.from({ length: this.#connections }, work))
    return opened.slice(0, count)
  }

  /** Calls `heard` with each message of the standalone stream until the returned function is called. */
  async listen(sessionId: string, heard: (data: string) => void): Promise<() => void> {
    const ending = new AbortController()
    const sent = { accept: 'text/event-stream', 'mcp-session-id': sessionId }
    const { signal } = ending
    const response = await this.#pool.request({
      path: this.#path,
      method: 'GET',
      headers: sent,
      signal,
      bodyTimeout: 0,
    })
    let text = ''
    response.body.on('error', () => undefined)
    response.body.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
        const data = /^data: (.+)$/m.exec(text.slice(0, at))?.[1]
        text = text.slice(at + 2)
        if (data !== undefined) heard(data)
      }
    })
    return () => ending.abort()
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}
