import { expect, onTestFinished, test, vi } from 'vitest'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'

test('auth that never settles is refused with 503 after 10 s, and reported', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const { endpoint, errors } = createTestEndpoint({}, { auth: () => new Promise(() => undefined) })
  const answered = endpoint.handle(new TestRequest('POST', { body: { jsonrpc: '2.0', id: 1, method: 'ping' } }))
  await vi.advanceTimersByTimeAsync(10_000)
  const { status, headers, body } = await answered
  expect([status, headers['retry-after']]).toEqual([503, '5'])
  expect(body).toContain('Access tokens cannot be verified at the moment: try again')
  expect(errors.map(String)).toEqual(['DeadlineError: Expected auth to settle within 10000 ms'])
})

test('auth that answers at once leaves no timer behind', async () => {
  const setTimeout = vi.spyOn(globalThis, 'setTimeout')
  onTestFinished(() => setTimeout.mockRestore())
  const { endpoint } = createTestEndpoint({}, { auth: () => undefined })
  await endpoint.handle(new TestRequest('DELETE'))
  expect(setTimeout).not.toHaveBeenCalled()
})

test.each([
  [null, 'Expected auth to give an AuthInfo or undefined, got null (null)'],
  [false, 'Expected auth to give an AuthInfo or undefined, got false (boolean)'],
  ['', 'Expected auth to give an AuthInfo or undefined, got "" (string)'],
  [
    { token: 't', clientId: 'c', scopes: 'superadmin' },
    'Expected the scopes that auth gives to be an array of strings, got "superadmin" (string)',
  ],
  [
    { token: 't', clientId: 'c', scopes: [], expiresAt: 1_764_602_911_000 },
    'Expected the expiresAt that auth gives to be a number of seconds since 1970, got 1764602911000 (number)',
  ],
  [
    { token: 't', clientId: 'c', scopes: [], expiresAt: Number.NaN },
    'Expected the expiresAt that auth gives to be a number of seconds since 1970, got NaN (number)',
  ],
])('half an answer of auth lets nobody in: %o', async (identity, message) => {
  const told: [unknown, string][] = []
  const auth = async (): Promise<never> => identity as never
  const { endpoint } = createTestEndpoint({}, { auth, onError: (error, where) => told.push([String(error), where]) })
  const body = { jsonrpc: '2.0', id: 1, method: 'ping' }
  expect((await endpoint.handle(new TestRequest('POST', { body }))).status).toBe(500)
  expect(told).toEqual([[`TypeError: ${message}`, 'auth']])
})
