import { expect, test } from 'vitest'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'
import { originPolicy, Rejection } from '../src/index.ts'

const loopback = { host: 'localhost:3000' }
const named = { host: 'mcp.example.com' }

function refusalOf(headers: Record<string, string>, allowedHosts: string[] = []): string | undefined {
  try {
    originPolicy({ allowedHosts })(new TestRequest('GET', { headers }))
    return undefined
  } catch (error) {
    if (error instanceof Rejection) return error.refusal
    throw error
  }
}

test.each([
  ['what is no page', loopback, [], undefined],
  ['a page of its own', { ...loopback, 'sec-fetch-site': 'same-origin' }, [], undefined],
  ['a page of its own that names itself', { ...loopback, origin: 'http://localhost:3000' }, [], undefined],
  ['a page of another port', { ...loopback, origin: 'http://localhost:4000' }, [], 'origin_not_allowed'],
  ['a page of another site', { ...loopback, origin: 'https://evil.example' }, [], 'origin_not_allowed'],
  ['a page that says only that it is another', { ...loopback, 'sec-fetch-site': 'cross-site' }, [], 'site_not_allowed'],
  ['a page under a name nobody listed', { ...named, 'sec-fetch-site': 'same-origin' }, [], 'host_not_allowed'],
  ['a page under a listed name', { ...named, 'sec-fetch-site': 'same-origin' }, ['mcp.example.com'], undefined],
] as const)('%s: %j, with the hosts %j: %s', (_what, headers, allowedHosts, refusal) => {
  expect(refusalOf(headers, [...allowedHosts])).toBe(refusal)
})

test('a bad option is named', () => {
  expect(() => originPolicy({ allowedHosts: ['https://mcp.example.com/'] })).toThrow(/allowedHosts/)
})
