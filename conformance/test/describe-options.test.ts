import { describe, expect, test } from 'vitest'
import { describeServer } from '../src/describe-server.ts'
import { describeStore } from '../src/store/describe-store.ts'

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
