import type { SentRequest, Transcript } from './transcript.ts'

const mostRequests = 8
const mostBytes = 4_096
/** An event stream may stay open for ever. */
const maxSeconds = 10

/** Shell lines that send what a check sent. Sessions become variables, since every run gets new ids. */
export function toCurl(transcript: Transcript): string {
  const { requests } = transcript
  const sessions = new Map<string, string>()
  const lines: string[] = []
  const skipped = Math.max(0, requests.length - mostRequests)
  // The first requests open the session, the last ones are those the verdict is about.
  const opening = Math.min(2, requests.length)
  for (const [index, request] of requests.entries()) {
    const opened = openedSession(request, { sessions, requests })
    if (index >= opening && index < opening + skipped && opened === undefined) continue
    if (index === opening + skipped && skipped > 0) lines.push(`# … up to ${skipped} more requests: see the transcript`)
    const quote = (text: string) => quoteSecretly(text, transcript)
    lines.push(transcript.conceal(toLine(request, { sessions, opened, quote })))
  }
  return lines.join('\n')
}

/** The variable for the session that this request opened; `undefined` when it opened none that a later one is sent in. */
function openedSession(request: SentRequest, { sessions, requests }: SessionsOf): string | undefined {
  const { sessionId, number } = request
  if (sessionId === undefined || sessions.has(sessionId)) return undefined
  if (!requests.some((later) => later.number > number && later.rawHeaders.includes(sessionId))) return undefined
  const name = sessions.size === 0 ? 'SESSION' : `SESSION${sessions.size + 1}`
  sessions.set(sessionId, name)
  return name
}

interface SessionsOf {
  readonly sessions: Map<string, string>
  readonly requests: readonly SentRequest[]
}

interface LineOptions {
  readonly sessions: ReadonlyMap<string, string>
  readonly opened: string | undefined
  /** Makes one word of a text. */
  readonly quote: (text: string) => string
}

function toLine(request: SentRequest, options: LineOptions): string {
  const { opened, quote } = options
  if (request.inPieces)
    return `# ${request.method} ${request.url} with a body in pieces: curl cannot send it the same way`
  const { body } = request
  if (body !== undefined && body.length > mostBytes) {
    return `# ${request.method} ${request.url} with a body of ${body.length} bytes: see the transcript`
  }
  const words = ['curl', '-sS', ...methodWords(request), ...headerWords(request, options)]
  if (body !== undefined) words.push('--data-binary', isText(body) ? quote(body.toString('utf8')) : '@-')
  words.push(quote(request.url))
  const piped = body === undefined || isText(body) ? '' : `printf ${quote(toEscapes(body))} | `
  if (opened === undefined) return `${piped}${words.join(' ')}`
  const command = `${piped}${words.join(' ')} -D - -o /dev/null`
  return `${opened}=$(${command} | tr -d '\\r' | sed -n 's/^mcp-session-id: *//Ip')`
}

function methodWords({ method, body }: SentRequest): string[] {
  if (method === 'HEAD') return ['-I']
  if (method === 'GET') return ['-i', '-N', `--max-time ${maxSeconds}`]
  return method === 'POST' && body !== undefined ? ['-i'] : ['-i', '-X', quote(method)]
}

function headerWords({ rawHeaders, body, url }: SentRequest, { sessions, quote }: LineOptions): string[] {
  const words: string[] = []
  const named = new Set<string>()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2)
    named.add(name.toLowerCase())
    if (isImplied(name, value, url)) continue
    const variable = name.toLowerCase() === 'mcp-session-id' ? sessions.get(value) : undefined
    // Without a value curl takes the header out, unless a semicolon stands for the colon.
    const line = value === '' ? `${name};` : `${name}: ${value}`
    words.push('-H', variable === undefined ? quote(line) : `"${name}: $${variable}"`)
  }
  // What curl would add by itself, and the check did not send.
  if (!named.has('accept')) words.push('-H', "'Accept:'")
  if (!named.has('content-type') && body !== undefined) words.push('-H', "'Content-Type:'")
  return words
}

function isImplied(name: string, value: string, url: string): boolean {
  const lower = name.toLowerCase()
  return lower === 'content-length' || (lower === 'host' && value === new URL(url).host)
}

function isText(body: Buffer): boolean {
  return !body.includes(0) && Buffer.from(body.toString('utf8'), 'utf8').equals(body)
}

function toEscapes(body: Buffer): string {
  return [...body].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
}

/** In one word what is to be sent as it is, and for each secret the variable of the shell that stands for it. */
function quoteSecretly(text: string, transcript: Transcript): string {
  const parts = transcript.conceal(text, (name) => `\0${name}\0`).split('\0')
  if (parts.length === 1) return quote(text)
  const words = parts.map((part, index) => (index % 2 === 1 ? `"${part}"` : part === '' ? '' : quote(part)))
  return words.join('')
}

function quote(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
