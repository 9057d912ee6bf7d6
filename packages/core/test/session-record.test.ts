import { expect, test } from 'vitest'
import { toKeptCapabilities, toKeptParams } from '../src/session/session-record.ts'

const params = (version: string) => ({
  protocolVersion: '2025-11-25',
  capabilities: { roots: { listChanged: true } },
  clientInfo: { name: 'test', version },
})

test('what many clients say alike is kept once, and nobody can change it', () => {
  const kept = toKeptParams(params('1'))
  expect(kept).toEqual(params('1'))
  expect(toKeptParams(params('1'))).toBe(kept)
  expect(toKeptParams(params('2'))).not.toBe(kept)
  const capabilities = kept.capabilities as { roots: { listChanged: boolean } }
  expect(() => {
    capabilities.roots.listChanged = false
  }).toThrow(TypeError)
})

test('what clients make up is not kept for ever, nor what is large', () => {
  const first = toKeptParams(params('first'))
  for (let i = 0; i < 1_000; i++) toKeptParams(params(`made up ${i}`))
  expect(toKeptParams(params('first'))).not.toBe(first)
  const large = params('x'.repeat(5_000))
  expect(toKeptParams(large)).not.toBe(toKeptParams(large))
})

test('a server object that says nothing of its capabilities has none', () => {
  expect(toKeptCapabilities(undefined)).toEqual({})
})
