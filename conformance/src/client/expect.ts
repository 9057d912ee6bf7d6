import type { Exchange } from './exchange.ts'
import type { Message } from './json-rpc.ts'

/** The server did something else than required. */
export class Mismatch extends Error {
  override name = 'Mismatch'
}

/** This server cannot show whether it meets the requirement. */
export class NotTestable extends Error {
  override name = 'NotTestable'
}

/** The check could not get as far as what it judges: that is no verdict about its requirement. */
export class SetupFailure extends Error {
  override name = 'SetupFailure'
}

/** The server takes no more requests from this client, and said so by 429 or 503. */
export class RateLimited extends Error {
  override name = 'RateLimited'
}

/** Errors that the suite's own code makes, of which a server is innocent. */
export function isProgrammingError(error: unknown): boolean {
  if (!(error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError)) return false
  // Errors of connections carry the system's code.
  return !('code' in error)
}

/** Waits for what a check needs before it can judge anything: what goes wrong there is a {@link SetupFailure}. */
export async function setUp<T>(what: string, made: Promise<T>): Promise<T> {
  return await made.catch((error: unknown) => {
    const isSaid = error instanceof NotTestable || error instanceof SetupFailure || error instanceof RateLimited
    if (isSaid || isProgrammingError(error)) throw error
    throw new SetupFailure(`${what}: ${error instanceof Error ? error.message : error}`, { cause: error })
  })
}

/** Waits for what another check only needs, and this one is about: what goes wrong there is a {@link Mismatch}. */
export async function judged<T>(made: Promise<T>): Promise<T> {
  return await made.catch((error: unknown) => {
    throw error instanceof SetupFailure ? new Mismatch(error.message, { cause: error }) : error
  })
}

/** Waits for what is used only if it can be: what this server does not offer, or what does not open, is no matter here. */
export async function unlessMissing(used: Promise<unknown>): Promise<void> {
  await used.catch((error: unknown) => {
    if (!(error instanceof NotTestable || error instanceof SetupFailure)) throw error
  })
}

/** Expects that nothing of what a run remembers was seen. */
export function expectNone(seen: readonly string[]): void {
  const [first, second] = seen
  if (first === undefined) return
  fail(
    second === undefined
      ? `Expected none, seen: ${first}`
      : `Expected none, seen ${seen.length} times: ${first}, and ${second}`,
  )
}

export function notTestable(reason: string): never {
  throw new NotTestable(reason)
}

export function fail(message: string): never {
  throw new Mismatch(message)
}

export function expectThat(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Mismatch(message)
}

export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  const [left, right] = [JSON.stringify(actual) ?? 'nothing', JSON.stringify(expected) ?? 'nothing']
  expectThat(left === right, `Expected ${what} to be ${right}, got ${left}`)
}

export function expectStatus(exchange: Exchange, expected: number | readonly number[], why = ''): void {
  const wanted = typeof expected === 'number' ? [expected] : expected
  const tail = why === '' ? '' : ` to ${why}`
  expectThat(
    wanted.includes(exchange.status),
    `Expected status ${wanted.join(' or ')} in answer${tail || ` to ${exchange.what}`}, got ${exchange.status}`,
  )
}

/** Any 4xx. */
export function expectRefused(exchange: Exchange, what: string): void {
  expectThat(exchange.refused, `Expected ${what} to be refused with a 4xx status, got ${exchange.status}`)
}

/** Any 4xx or 5xx: that the client is at fault, and is told so, is a requirement of its own. */
export function expectHttpError(exchange: Exchange, what: string): void {
  expectThat(
    exchange.status >= 400,
    `Expected ${what} to be answered with an HTTP error, got status ${exchange.status}`,
  )
}

/** Any 2xx. */
export function expectAccepted(exchange: Exchange, what: string): void {
  expectThat(exchange.ok, `Expected ${what} to be accepted, got status ${exchange.status}`)
}

export function expectNoServerError(exchange: Exchange, what: string): void {
  expectThat(exchange.status < 500, `Expected no server error for ${what}, got status ${exchange.status}`)
}

export function expectResult(response: Message | undefined, what: string): void {
  expectThat(response?.result !== undefined, `Expected ${what} to have a result, got ${JSON.stringify(response)}`)
}

/** What came in answer, after the status. */
export function describe(response: Message | undefined): string {
  return response === undefined ? 'and no response' : `with ${JSON.stringify(response).slice(0, 300)}`
}

/** The message of a JSON-RPC error inside an HTTP error, or the answer to a request that was refused inside JSON-RPC. */
export function errorCode(message: Message | undefined): number | undefined {
  return message?.error?.code
}
