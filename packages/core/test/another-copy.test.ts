import { expect, test, vi } from 'vitest'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'
import { createEndpoint } from '../src/index.ts'

// A process may have two copies of this package, that of `import` and that of `require`; and in CommonJS each entry of it
// is a copy of its own.

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }

async function importAnotherCopy(): Promise<typeof import('../src/index.ts')> {
  vi.resetModules()
  const copy = await import('../src/index.ts')
  expect(copy.createEndpoint).not.toBe(createEndpoint)
  return copy
}

test('a token that the `auth` of another copy refuses is a refusal, and no fault of the server', async () => {
  const { createBearerAuth } = await importAnotherCopy()
  const auth = createBearerAuth({
    ...{ resource: 'https://mcp.example.com/mcp', authorizationServers: ['https://id.example.com'] },
    verify: () => undefined,
  })
  const { endpoint, errors } = createTestEndpoint({}, { auth })
  const reply = await endpoint.handle(new TestRequest('POST', { body: ping }))
  expect(reply).toMatchObject({ status: 401, headers: { 'www-authenticate': expect.stringMatching(/^Bearer /) } })
  expect(errors).toEqual([])
})

test('so is what the bridge of another copy refuses', async () => {
  const { Rejection } = await importAnotherCopy()
  const { endpoint, errors } = createTestEndpoint()
  const request = new TestRequest('POST', { body: ping })
  request.readBody = (sink) => sink.fail(new Rejection('client_left'))
  expect(await endpoint.handle(request)).toMatchObject({ status: 400, body: expect.stringContaining('ended early') })
  expect(errors).toEqual([])
})
