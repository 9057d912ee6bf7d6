import { randomBytes } from 'node:crypto'
import { expectThat, fail } from '../client/expect.ts'
import type { LogEvent, LogPage, SessionRecord } from './contract-types.ts'

/** As the core makes them: base64url of 32 bytes. */
export function createKey(): string {
  return randomBytes(32).toString('base64url')
}

export function toRecord(parts: Partial<SessionRecord> = {}): SessionRecord {
  return {
    key: createKey(),
    principal: 'https://issuer.example alice',
    protocolVersion: '2025-11-25',
    initializeParams: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'client', version: '1' } },
    serverCapabilities: { logging: {}, tools: { listChanged: true } },
    createdAt: 1_764_000_000_123,
    term: 1,
    owner: 'first',
    initialized: false,
    logLevel: null,
    subscriptions: [],
    ...parts,
  }
}

/** The same text for the same JSON value, whatever the order of members. */
export function toCanonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toCanonical).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'nothing'
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  const texts = members.map(([name, member]) => `${JSON.stringify(name)}:${toCanonical(member)}`)
  return `{${texts.toSorted().join()}}`
}

/** For a message: short. */
export function show(value: unknown): string {
  const text = toCanonical(value)
  return text.length <= 200 ? text : `${text.slice(0, 150)}… (${text.length} characters)`
}

export function expectRecord(actual: SessionRecord | undefined, expected: SessionRecord, what: string): void {
  if (!actual) return fail(`Expected ${what} to be a record, got nothing`)
  for (const name of Object.keys(expected) as (keyof SessionRecord)[]) {
    expectSame(actual[name], expected[name], `${name} of ${what}`)
  }
}

/** Every event in its place, and no other. */
export function expectEvents(page: LogPage | undefined, expected: readonly LogEvent[], what: string): void {
  if (!page) return fail(`Expected ${what} to be a page, got nothing`)
  const [actual, wanted] = [page.events, expected].map((events) => events.map(({ index }) => index))
  expectSame(actual, wanted, `the indexes of ${what}`)
  for (const [i, event] of expected.entries()) {
    for (const name of Object.keys(event) as (keyof LogEvent)[]) {
      expectSame(page.events[i]?.[name], event[name], `${name} of event ${event.index} of ${what}`)
    }
  }
}

export function expectSame(actual: unknown, expected: unknown, what: string): void {
  expectThat(
    toCanonical(actual) === toCanonical(expected),
    `Expected ${what} to be ${show(expected)}, got ${show(actual)}`,
  )
}

export function expectNothing(actual: unknown, what: string): void {
  expectThat(actual === undefined, `Expected ${what} to give undefined, got ${show(actual)}`)
}
