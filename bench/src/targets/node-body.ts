import type { IncomingMessage, ServerResponse } from 'node:http'

/** A JSON-RPC message as the targets without a transport of their own read it. */
export interface Message {
  readonly id?: string | number
  readonly method?: string
  readonly params?: {
    readonly name?: string
    readonly arguments?: Readonly<Record<string, unknown>>
    readonly notifications?: Readonly<Record<string, unknown>>
    readonly _meta?: { readonly progressToken?: string | number }
  }
}

export function readJson(request: IncomingMessage): Promise<Message> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => void chunks.push(chunk))
    request.on('error', reject)
    request.on('end', () => {
      try {
        resolve(JSON.parse((chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).toString()) as Message)
      } catch (error) {
        reject(error)
      }
    })
  })
}

export function writeJson(response: ServerResponse, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers })
  response.end(text)
}

export function writeSseHead(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
}

/** Writes one event, and waits while the reader is behind. */
export function writeEvent(response: ServerResponse, text: string): void | Promise<void> {
  if (response.write(`data: ${text}\n\n`) || response.destroyed) return
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}
