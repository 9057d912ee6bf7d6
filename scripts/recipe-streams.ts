// What is seen of a recipe's streams on the wire: whether the standalone stream opens, and whether a client that was cut
// off in the middle of a call gets the rest of it.

/** `yes`, `no` where there are no sessions, or what went wrong. */
export async function tryStreams(url: string): Promise<string> {
  const opened = await post(url, toRequest('initialize', initializeParams))
  const sessionId = opened.headers.get('mcp-session-id')
  await opened.text()
  if (sessionId === null) return 'no'
  const session = { 'mcp-session-id': sessionId, 'mcp-protocol-version': '2025-11-25' }
  await (await post(url, { jsonrpc: '2.0', method: 'notifications/initialized' }, session)).text()
  const standalone = await get(url, session)
  await readUntil(standalone, (text) => text !== '')
  const call = { name: 'count', arguments: { to: 5 }, _meta: { progressToken: 'p' } }
  const seen = await readUntil(
    await post(url, toRequest('tools/call', call), session),
    (text) => countSteps(text) === 2,
  )
  const lastEventId =
    seen
      .match(/^id: ?(.+)$/gm)
      ?.at(-1)
      ?.replace(/^id: ?/, '') ?? ''
  const rest = await readUntil(await get(url, { ...session, 'last-event-id': lastEventId }), (text) => {
    return text.includes('counted to 5')
  })
  const steps = countSteps(seen) + countSteps(rest)
  return steps === 5 ? 'yes' : `${steps} of 5 events after resuming`
}

const initializeParams = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'recipes', version: '1.0.0' },
}

const toRequest = (method: string, params: object) => ({ jsonrpc: '2.0', id: 1, method, params })

const countSteps = (text: string): number => text.match(/"notifications\/progress"/g)?.length ?? 0

function post(url: string, message: object, headers: Record<string, string> = {}): Promise<Response> {
  const common = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
  return fetch(url, { method: 'POST', headers: { ...common, ...headers }, body: JSON.stringify(message) })
}

function get(url: string, headers: Record<string, string>): Promise<Response> {
  return fetch(url, { headers: { accept: 'text/event-stream', ...headers } })
}

/** Time, in milliseconds, in which what is waited for must have come. */
const withinMs = 10_000

/** Whole events up to the one that makes `isEnough` true; then the connection is cut. */
async function readUntil(response: Response, isEnough: (text: string) => boolean): Promise<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const timer = setTimeout(() => reader?.cancel().catch(() => undefined), withinMs)
  try {
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      text += part.value
      const whole = text.slice(0, text.lastIndexOf('\n\n') + 2)
      if (isEnough(whole)) return whole
    }
  } finally {
    clearTimeout(timer)
    reader?.cancel().catch(() => undefined)
  }
  throw new Error(`Expected more of a stream (${response.status}) than ${JSON.stringify(text)}`)
}
