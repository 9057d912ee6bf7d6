import { describe, expect, test } from 'vitest'
import { openSession, TestClient, toInitializeParams } from '../../../test-support/in-process/test-client.ts'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import type { AuthInfo, EndpointOptions } from '../src/index.ts'

const alice: AuthInfo = { token: 't', clientId: 'app', scopes: [], extra: { iss: 'https://id.example', sub: 'alice' } }

describe('a principal that is', () => {
  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['empty', ''],
    ['a promise', Promise.resolve('alice')],
    ['an object', { sub: 'alice' }],
    ['a number', 7],
  ])('%s makes users one, or nobody: 500, and the error says why', async (_, name) => {
    const principal = (() => name) as unknown as EndpointOptions['principal'] & object
    const { endpoint, errors } = createTestEndpoint({}, { principal })
    const client = new TestClient(endpoint)
    client.auth = alice
    expect((await client.call('initialize', toInitializeParams())).status).toBe(500)
    expect(String(errors[0])).toContain('Expected `principal` to return a non-empty string, got')
    expect(endpoint.stats().sessions).toBe(0)
  })
})

describe('a token without a subject', () => {
  const unnamed: AuthInfo = { token: 't', clientId: 'app', scopes: [], extra: { iss: 'https://id.example' } }

  test('is told once', async () => {
    const told: [unknown, string][] = []
    const { endpoint } = createTestEndpoint({}, { onError: (error, where) => told.push([error, where]) })
    await openSession(endpoint, { auth: alice })
    expect(told).toEqual([])
    const client = await openSession(endpoint, { auth: unnamed })
    expect((await client.call('ping')).status).toBe(200)
    expect(told).toEqual([[expect.objectContaining({ message: expect.stringContaining('names no subject') }), 'auth']])
  })

  test('is no concern where the application names principals', async () => {
    const { endpoint, errors } = createTestEndpoint({}, { principal: ({ token }) => token })
    await openSession(endpoint, { auth: unnamed })
    expect(errors).toEqual([])
  })
})
