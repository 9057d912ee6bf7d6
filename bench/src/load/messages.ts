export const protocolVersion = '2025-11-25'

export const initializeText = JSON.stringify({
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion, capabilities: {}, clientInfo: { name: 'bench', version: '1.0.0' } },
})

export const initializedText = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })

/** A `tools/call`, which asks for progress when it is given a token. */
export function toCall(
  id: number,
  name: 'echo' | 'progress' | 'park',
  input: Readonly<Record<string, unknown>>,
  progressToken?: string,
): string {
  const params = { name, arguments: input, ...(progressToken !== undefined && { _meta: { progressToken } }) }
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params })
}

/** The part of a JSON-RPC message that is looked at. */
export interface Received {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly progress?: number; readonly progressToken?: string }
  readonly result?: {
    readonly content?: readonly { readonly text?: string }[]
    readonly supportedVersions?: readonly string[]
  }
}

export interface SseEvent {
  readonly eventId: string | undefined
  readonly data: string
}

/** Reads whole SSE text. Enough of the format for servers: one field a line, `\n` or `\r\n`. */
export function readEvents(text: string): SseEvent[] {
  const events: SseEvent[] = []
  for (const block of text.replaceAll('\r\n', '\n').split('\n\n')) {
    let eventId: string | undefined
    const data: string[] = []
    for (const line of block.split('\n')) {
      if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5))
      else if (line.startsWith('id:')) eventId = line.slice(3).trim()
    }
    if (eventId !== undefined || data.length > 0) events.push({ eventId, data: data.join('\n') })
  }
  return events
}

/** Every message of a reply, JSON or SSE. */
export function readMessages(body: string): Received[] {
  if (body.startsWith('{')) return [JSON.parse(body) as Received]
  return readEvents(body).flatMap(({ data }) => (data === '' ? [] : [JSON.parse(data) as Received]))
}

/** @throws Error unless the last message of a reply answers `id` with `text`. */
export function checkAnswer(body: string, id: number, text: string): void {
  const answer = readMessages(body).at(-1)
  if (answer?.id === id && answer.result?.content?.[0]?.text === text) return
  throw new Error(`Expected the answer to ${id} to be "${text.slice(0, 40)}", got ${body.slice(0, 200)}`)
}
