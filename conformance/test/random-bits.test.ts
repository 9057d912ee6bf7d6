import { randomBytes, randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { estimateBits } from '../src/client/random-bits.ts'

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-'

/** As nanoid makes them. */
function toText(length: number, alphabet = letters): string {
  return Array.from(randomBytes(length), (byte) => alphabet[byte % alphabet.length]).join('')
}

/** As many as the check takes. */
function bitsOf(make: (index: number) => string): number {
  return Math.round(estimateBits(Array.from({ length: 24 }, (_, index) => make(index))))
}

describe('the random bits that 24 session ids show', () => {
  test.each<[string, (index: number) => string]>([
    ['16 hex digits, which have 64', () => randomBytes(8).toString('hex')],
    ['8 bytes as base64url', () => randomBytes(8).toString('base64url')],
    ['12 characters of 64, which have 72', () => toText(12)],
    ['13 characters of 36, which have 67', () => toText(13, letters.slice(26, 62))],
    ['a prefix and 16 hex digits', () => `session_${randomBytes(8).toString('hex')}`],
    ['a UUID', () => randomUUID()],
    ['a UUID of version 7', (index) => `018f4a2b-9c3${index % 10}-7${randomUUID().slice(15)}`],
  ])('are 64 or more of %s', (_, make) => {
    expect(bitsOf(make)).toBeGreaterThanOrEqual(64)
  })

  test.each<[string, (index: number) => string]>([
    ['ids that are all the same', () => 'session'],
    ['a number that counts up', (index) => `session-${String(index + 1).padStart(24, '0')}`],
    ['a time and a number', (index) => `${1_764_000_000_000 + 7 * index}-${index}`],
    ['10 characters of 36, as of Math.random()', () => toText(10, letters.slice(26, 62))],
    ['14 hex digits', () => randomBytes(7).toString('hex')],
    ['a UUID with a counter at its end', (index) => `a3bb189e-8bf9-4c3b-9b1d-${String(index).padStart(12, '0')}`],
  ])('are fewer than 64 of %s', (_, make) => {
    expect(bitsOf(make)).toBeLessThan(64)
  })
})
