import { describe, expect, test, vi } from 'vitest'
import { describeServer } from '../src/describe-server.ts'
import { runConformance } from '../src/run-conformance.ts'
import { checkStoreRequirement } from '../src/store/check-store.ts'
import { describeStore } from '../src/store/describe-store.ts'
import { storeRequirements } from '../src/store/store-requirements.ts'

const start = () => ({ url: 'http://127.0.0.1:1/mcp', close: () => undefined })
const open = () => ({ backplane: {} })

// A mistake that is let pass leaves out checks, and a run that leaves out checks is green.
describe('describeServer refuses, before any test', () => {
  test.each<[options: unknown, message: RegExp]>([
    [
      { start, levels: 'MOST' },
      /^Expected levels to be an array of at least one level, or 'all', got "MOST" \(string\)$/,
    ],
    [
      { start, levels: 'MUST' },
      /^Expected levels to be an array of at least one level, or 'all', got "MUST" \(string\)$/,
    ],
    [{ start, levels: [] }, /^Expected levels to be an array of at least one level/],
    [{ start, levels: ['must'] }, /^Expected each of levels to be 'MUST', .* or 'MAY', got "must" \(string\)$/],
    [
      { start, exclde: [] },
      /^Unknown option: exclde \(known are start, exclude, strict, levels, slow, abuse, revision, /,
    ],
    [{ start, strct: true }, /^Unknown option: strct \(known are /],
    [{ start, strict: 'yes' }, /^Expected strict to be true or false, got "yes" \(string\)$/],
    [{ start, slow: 1 }, /^Expected slow to be true or false, got 1 \(number\)$/],
    [{ start, abuse: 1 }, /^Expected abuse to be true or false, got 1 \(number\)$/],
    [
      { start, exclude: 'session/' },
      /^Expected exclude to be an array of \{ id, reason \}, got "session\/" \(string\)$/,
    ],
    [{ start, exclude: ['session/'] }, /^Expected each of exclude to be \{ id, reason \}, got "session\/" \(string\)$/],
    [
      { start, exclude: [{ id: 'session/' }] },
      /^Expected reason in exclude to be a string that is not empty, got undefined/,
    ],
    [{ start, exclude: [{ id: 'sesion/', reason: 'a slip' }] }, /got "sesion\/"$/],
    [{ start, revision: '2025' }, /^Expected revision to be '2025-03-26', /],
    [{ start, profile: 'full' }, /^Expected profile to be 'resumable', /],
    [{ start, roles: { echo: 'say' } }, /^Expected roles to be a Map, got \{"echo":"say"\} \(object\)$/],
    [
      { start, roles: new Map([['ecko', { tool: 'say', args: {} }]]) },
      /^Expected each key of roles to be one of echo, /,
    ],
    [
      { start, roles: new Map([['echo', 'say']]) },
      /^Expected echo of roles to be \{ tool, args \}, got "say" \(string\)$/,
    ],
    [{ start, headers: new Headers() }, /^Expected headers to be an object of strings, got an object of Headers/],
    [{ start, headers: { 'X-Team': 7 } }, /^Expected X-Team of headers to be a string or an array of strings, got 7/],
    [
      { start, credentials: { tokn: 'a' } },
      /^Unknown option: tokn \(known are token, other, expired, weak, foreign\)$/,
    ],
    [{ start, credentials: { token: 7 } }, /^Expected token to be a string that is not empty, got 7 \(number\)$/],
    [{ start, secondUrl: 'http://127.0.0.1:2/mcp' }, /^Expected secondUrl to be a URL, .* got "http:/],
    [{ url: 'http://127.0.0.1:1/mcp' }, /^Unknown option: url \(known are start, /],
    [{ strict: true }, /^Expected start to be a function, got undefined \(undefined\)$/],
    [start, /^Expected 'here' to be an object with start and options, got a function \(function\)$/],
  ])('%j', (options, message) => {
    const mounts = { here: options } as Parameters<typeof describeServer>[1]
    expect(() => describeServer('never', mounts)).toThrow(message)
    expect(() => describeServer('never', mounts)).toThrow(TypeError)
  })

  test.each([undefined, {}, []])('ways that are none: %j', (mounts) => {
    expect(() => describeServer('never', mounts as never)).toThrow(
      /^Expected the ways to serve the server to be an object of at least one, got /,
    )
  })

  test('options after the ways, where they would be for no way', () => {
    const describeAnyway = describeServer as (...args: unknown[]) => void
    expect(() => describeAnyway('never', { here: { start } }, { strict: true })).toThrow(
      /^Expected options to stand beside start, in the object of each way to serve the server, got \{"strict":true\} \(object\)$/,
    )
  })

  test('a mistake in the last of several ways', () => {
    const mounts = { here: { start }, there: { start, levels: ['SOME'] } }
    expect(() => describeServer('never', mounts as never)).toThrow(/^Expected each of levels to be /)
  })
})

describe('describeStore refuses, before any test', () => {
  test.each<[options: unknown, message: RegExp]>([
    [
      { exclde: [] },
      /^Unknown option: exclde \(known are openBounded, ttlToleranceMs, settleWithinMs, exclude, parts, /,
    ],
    [{ strct: true }, /^Unknown option: strct \(known are /],
    [{ strict: 1 }, /^Expected strict to be true or false, got 1 \(number\)$/],
    [{ ttlToleranceMs: 'x' }, /^Expected ttlToleranceMs to be a whole number from 0 to 3600000, got "x" \(string\)$/],
    [{ settleWithinMs: 0 }, /^Expected settleWithinMs to be a whole number from 1 to 3600000, got 0 \(number\)$/],
    [{ parts: 'bus' }, /^Expected parts to be an array of at least one, got "bus" \(string\)$/],
    [{ parts: ['buses'] }, /^Expected each of parts to be 'sessions', 'events' or 'bus', got "buses" \(string\)$/],
    [{ openBounded: 7 }, /^Expected openBounded to be a function, got 7 \(number\)$/],
    [
      { exclude: [{ id: 'store/bus/' }] },
      /^Expected reason in exclude to be a string that is not empty, got undefined/,
    ],
    [null, /^Expected the options to be an object, got null \(null\)$/],
  ])('%j', (options, message) => {
    expect(() => describeStore('never', open, options as never)).toThrow(message)
  })

  test('a store in place of what opens one', () => {
    expect(() => describeStore('never', open() as never)).toThrow(
      /^Expected open to be a function, got \{"backplane":\{\}\} \(object\)$/,
    )
  })
})

describe('runConformance refuses, before the first request', () => {
  const url = 'http://127.0.0.1:1/mcp'

  test.each<[options: unknown, message: RegExp]>([
    [undefined, /^Expected the options to be an object, got undefined/],
    [{}, /^Expected url to be that of an MCP endpoint, such as .*, got undefined/],
    [
      { url: 'localhost:3000' },
      /^Expected url to be that of an MCP endpoint, such as .*, got "localhost:3000" \(string\)$/,
    ],
    [{ url, onyl: ['session/'] }, /^Unknown option: onyl \(known are url, only, skip, /],
    [{ url, only: 'session/' }, /^Expected only to be an array of at least one id, got "session\/" \(string\)$/],
    [{ url, only: [] }, /^Expected only to be an array of at least one id, got \[\]/],
    [{ url, skip: [] }, /^Expected skip to be an array of at least one id, got \[\]/],
    [{ url, only: ['sesion/'] }, /^Expected the id of a requirement, .* got "sesion\/"$/],
    [{ url, slow: 'yes' }, /^Expected slow to be true or false, got "yes" \(string\)$/],
    [{ url, timeoutMs: 0 }, /^Expected timeoutMs to be a whole number from 1 to /],
    [{ url, concurrency: 0 }, /^Expected concurrency to be a whole number from 1 to /],
    [{ url, signal: 1_000 }, /^Expected signal to have a method addEventListener, got 1000 \(number\)$/],
    [{ url, onResult: true }, /^Expected onResult to be a function, got true/],
    [{ url, credentials: { token: '' } }, /^Expected token to be a string that is not empty, got "" \(string\)$/],
    [{ url, headers: new Headers() }, /^Expected headers to be an object of strings, got an object of Headers/],
  ])('%j', async (options, message) => {
    const run = runConformance(options as never)
    await expect(run).rejects.toThrow(TypeError)
    await expect(run).rejects.toThrow(message)
  })
})

test.each<[options: unknown, message: RegExp]>([
  [{ settleWithin: 500 }, /^Unknown option: settleWithin \(known are openBounded, ttlToleranceMs, settleWithinMs\)$/],
  [{ ttlToleranceMs: -1 }, /^Expected ttlToleranceMs to be a whole number from 0 /],
])('checkStoreRequirement refuses %j, and opens no store', async (options, message) => {
  const opening = vi.fn(open)
  const [requirement] = storeRequirements
  await expect(checkStoreRequirement(requirement as never, opening, options as never)).rejects.toThrow(message)
  expect(opening).not.toHaveBeenCalled()
})
