import { type Revision, revisions } from '../requirement.ts'
import type { Exchange } from './exchange.ts'
import { Mismatch } from './expect.ts'
import type { HttpClient } from './http.ts'
import { initialize, isObject, type Message } from './json-rpc.ts'
import { getHeaders, postHeaders, responseIn } from './session.ts'

export interface VersionFinding {
  /** Revisions that the server echoes, oldest first. */
  readonly versions: Revision[]
  /** What was answered instead of a known version, and what may be the reason. */
  readonly problem: string
  /** It answers in JSON-RPC, if only by errors. */
  readonly speaksJsonRpc: boolean
  readonly givesSessionIds: boolean
  readonly server: string
  readonly roundTripMs: number
}

/** Asks for each revision. The newest comes first: a server that serves one client only must show its best. */
export async function findVersions(client: HttpClient): Promise<VersionFinding> {
  const found = { versions: [] as Revision[], problem: '', speaksJsonRpc: false, givesSessionIds: false, server: '' }
  let roundTripMs = Number.POSITIVE_INFINITY
  for (const version of revisions.toReversed()) {
    const message = initialize(version)
    const exchange = await client.send('POST', { body: message, headers: postHeaders() })
    roundTripMs = Math.min(roundTripMs, exchange.headAt - exchange.startedAt)
    const response = await initializeResponse(exchange, message)
    if (response.result?.protocolVersion === version) found.versions.unshift(version)
    else found.problem ||= await describeAnswer(exchange)
    found.server ||= toServerName(response.result?.serverInfo)
    const isPlace = [401, 403, 404].includes(exchange.status)
    found.speaksJsonRpc ||= response.result !== undefined || (isObject(response.error) && !isPlace)
    const id = exchange.header('mcp-session-id')
    found.givesSessionIds ||= id !== undefined
    // Tidying up: a server that cannot end sessions lets them expire.
    if (id !== undefined) await client.send('DELETE', { headers: { 'Mcp-Session-Id': id } }).catch(() => undefined)
  }
  return { ...found, roundTripMs: Math.ceil(roundTripMs) }
}

/** A response of no content stands for whatever else was answered. */
export async function initializeResponse(exchange: Exchange, { id }: Message): Promise<Message> {
  return await responseIn(exchange, id).catch((error: unknown) => {
    if (error instanceof Mismatch) return { jsonrpc: '2.0' as const }
    throw error
  })
}

export function toServerName(info: unknown): string {
  if (!isObject(info)) return ''
  return [info.name, info.version].filter((part) => typeof part === 'string').join(' ')
}

async function describeAnswer(exchange: Exchange): Promise<string> {
  const { status, contentType = 'no content type' } = exchange
  const start = exchange.isEventStream ? '' : toBrief(await exchange.text())
  return `Expected an answer to initialize, got status ${status} with ${contentType}: ${JSON.stringify(start)}${adviceFor(exchange, start)}`
}

/** The beginning of a body, and of a page what a reader sees of it. */
function toBrief(text: string): string {
  const isPage = /<!doctype|<html/i.test(text)
  const seen = isPage ? text.replace(/<(style|script|head)[\s\S]*?<\/\1>/gi, ' ').replace(/<[^>]*>/g, ' ') : text
  return seen.replace(/\s+/g, ' ').trim().slice(0, 200)
}

function adviceFor(exchange: Exchange, start: string): string {
  const { status, contentType } = exchange
  if (status === 401 || status === 403) return '. It may need a token: --token TOKEN'
  if (status === 404) return '. Is the path of the URL that of the MCP endpoint?'
  if (status >= 300 && status < 400) {
    return `. Redirects are not followed: give the URL it leads to, ${exchange.header('location') ?? 'which it does not tell'}`
  }
  const advice = adviceOn(start)
  if (advice !== '') return advice
  return contentType === 'text/html' && status < 500
    ? '. That is a web page: is the path of the URL that of the MCP endpoint?'
    : ''
}

/** What an author may have done who sees such an error in answer to `initialize`; empty where nothing is known. */
export function adviceOn(error: string): string {
  if (isReadTwice(error)) return `. ${readTwice}`
  return isOneForAll(error) ? `. ${oneForAll}` : ''
}

/** What servers say whose framework has read the body before the transport could. */
function isReadTwice(text: string): boolean {
  const isNamed = /stream is not readable|body (stream )?(is )?(already|disturbed|unusable)|locked/i.test(text)
  // A parse error of an empty body, and none that code threw for a reason of its own.
  return isNamed || (/-32700|parse error/i.test(text) && !/\b\w+Error:|is not defined/.test(text))
}

/** What servers say that connect one server object, or one transport, to every client. */
function isOneForAll(text: string): boolean {
  return /already (initialized|connected|started)|initialized already|only one (session|client)/i.test(text)
}

const oneForAll = 'One server object with one transport serves one session: make both anew for each initialize'

const readTwice =
  'It may be that a body parser of the framework reads the body first, and nothing is left for the transport: hand it ' +
  'the parsed body, or mount it without the parser'

/** Whether a GET opens with the event `endpoint`, by which the transport of 2024-11-05 begins. */
export async function isHttpWithSse(client: HttpClient): Promise<boolean> {
  const exchange = await client.send('GET', { headers: getHeaders() })
  if (!exchange.isEventStream) return false
  const first = await exchange.stream.next(2_000)
  exchange.abort()
  return first?.event === 'endpoint'
}
