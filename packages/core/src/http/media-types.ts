/** Which answers the client can read. */
export interface Acceptable {
  readonly json: boolean
  readonly eventStream: boolean
}

const both: Acceptable = { json: true, eventStream: true }

/** What every official client sends. */
const usual = 'application/json, text/event-stream'

/** Reads an Accept header (RFC 9110 §12.5.1). Absent: anything goes. */
export function readAccept(accept: string | undefined): Acceptable {
  if (accept === undefined || accept === usual) return both
  const ranges = accept.split(',').map(readMediaType)
  return {
    json: accepts(ranges, ['application/json', 'application/*', '*/*']),
    eventStream: accepts(ranges, ['text/event-stream', 'text/*', '*/*']),
  }
}

/** The most specific range decides, `q=0` refuses (RFC 9110 §12.4.2). */
function accepts(ranges: readonly MediaType[], mostSpecificFirst: readonly string[]): boolean {
  for (const essence of mostSpecificFirst) {
    const range = ranges.find((candidate) => candidate.essence === essence)
    if (range) return Number(range.parameters.get('q') ?? 1) > 0
  }
  return false
}

/** `application/json`, with no charset but UTF-8 (Transports: messages MUST be UTF-8). */
export function isJson(contentType: string | undefined): boolean {
  if (contentType === 'application/json') return true
  if (contentType === undefined) return false
  const { essence, parameters } = readMediaType(contentType)
  const charset = parameters.get('charset')?.toLowerCase() ?? 'utf-8'
  return essence === 'application/json' && (charset === 'utf-8' || charset === 'utf8')
}

interface MediaType {
  readonly essence: string
  readonly parameters: ReadonlyMap<string, string>
}

function readMediaType(text: string): MediaType {
  const [essence = '', ...rest] = text.split(';')
  const parameters = new Map<string, string>()
  for (const parameter of rest) {
    const equals = parameter.indexOf('=')
    if (equals === -1) continue
    const name = parameter.slice(0, equals).trim().toLowerCase()
    const value = parameter.slice(equals + 1).trim()
    parameters.set(name, value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value)
  }
  return { essence: essence.trim().toLowerCase(), parameters }
}
