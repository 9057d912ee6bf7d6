import { readFileSync } from 'node:fs'
import { InvalidArgumentError } from 'commander'
import ms from 'ms'
import { expectNoUser } from '../client/http.ts'
import { isObject } from '../client/json-rpc.ts'
import type { Credentials } from '../client/target.ts'
import { isRole, type RoleTool, roleNames } from '../roles.ts'

// A flag whose value is wrong ends the program with 2. Commander repeats what an InvalidArgumentError is about; it does not
// repeat what a TypeError is, and that is for values that may be secret.

export function readDuration(text: string): number {
  const value = ms(text as ms.StringValue)
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
  throw new InvalidArgumentError('Expected a time such as 500ms, 30s or 2m.')
}

export function isUrl(target: string): boolean {
  return /^https?:\/\//i.test(target)
}

export function toUrl(text: string): URL {
  if (!isUrl(text) || !URL.canParse(text)) {
    throw new TypeError(`Expected a URL such as http://127.0.0.1:3001/mcp, got "${text}"`)
  }
  const url = new URL(text)
  expectNoUser(url)
  return url
}

/** A flag whose file was forgotten would take the next flag for it. */
export function readFileName(text: string): string {
  if (!text.startsWith('-')) return text
  throw new InvalidArgumentError('Expected the name of a file; one that begins with - is written ./- and so on.')
}

/** `ROLE=NAME`, or `ROLE=NAME {"argument":1}`. */
export function collectTool(text: string, tools: Map<string, RoleTool> = new Map()): Map<string, RoleTool> {
  const [, role = '', tool = '', args = '{}'] = /^([^=]+)=(\S+)(?:\s+(\S.*))?$/s.exec(text.trim()) ?? []
  if (!isRole(role)) throw new InvalidArgumentError(`Expected ROLE=NAME with a role of ${roleNames.join(', ')}.`)
  return new Map(tools).set(role, { tool, args: readArguments(args) })
}

function readArguments(text: string): Record<string, unknown> {
  const args = parseJson(text)
  if (isObject(args)) return args
  throw new InvalidArgumentError(
    `Expected the arguments after the name of the tool to be a JSON object, such as {"unit":"ms"}, got ${text}.`,
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function collectHeader(text: string, headers: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*)$/.exec(text) ?? []
  if (name === undefined || value === undefined) throw new TypeError('Expected --header to be "Name: value"')
  return { ...headers, [name]: value }
}

export function collectList(text: string, list: readonly string[] = []): string[] {
  const parts = text.split(',').map((part) => part.trim())
  if (parts.every((part) => part === '')) throw new InvalidArgumentError('Expected ids, or areas such as session/.')
  return [...list, ...parts.filter((part) => part !== '')]
}

/** A token, or `@FILE` that holds one: what is on a command line, every user of the machine can read. */
export function readToken(text: string): string {
  if (text.startsWith('--')) throw new InvalidArgumentError('Expected a token, or @FILE that holds one.')
  const token = text.startsWith('@') ? readTokenFile(text.slice(1)) : text
  if (/^[\x21-\x7e]+$/.test(token)) return token
  throw new TypeError(
    `Expected a token of visible ASCII characters, or @FILE that holds one, ${token === '' ? 'it is empty' : 'it has others'}`,
  )
}

function readTokenFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new InvalidArgumentError(
      `The file of the token cannot be read: ${error instanceof Error ? error.message : error}`,
    )
  }
}

export interface TokenFlags {
  token?: string
  otherToken?: string
  expiredToken?: string
  weakToken?: string
  foreignToken?: string
}

export function toCredentials(flags: TokenFlags): Credentials {
  const { token, otherToken: other, expiredToken: expired, weakToken: weak, foreignToken: foreign } = flags
  return Object.fromEntries(
    Object.entries({ token, other, expired, weak, foreign }).filter(([, value]) => value !== undefined),
  )
}
