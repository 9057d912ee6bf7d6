import { expect, onTestFinished } from 'vitest'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestRequest } from '../../../test-support/in-process/test-request.ts'
import type { Handlers } from '../../../test-support/in-process/test-server.ts'
import type { EndpointOptions, Mountable } from '../../core/src/index.ts'
import { type InspectorOptions, inspector } from '../src/index.ts'
import { commandHeader, type View } from '../src/protocol.ts'

export const command = { [commandHeader]: '1', 'sec-fetch-site': 'same-origin', origin: 'http://localhost:3000' }

export function start(
  options: Partial<InspectorOptions> = {},
  { handlers = {}, ...given }: Partial<EndpointOptions> & { handlers?: Handlers } = {},
) {
  const { endpoint, errors } = createTestEndpoint(handlers, given)
  onTestFinished(() => endpoint.close({ drainMs: 0 }))
  return { endpoint, errors, mounted: inspector(endpoint, { allow: () => true, ...options }) }
}

export function ask(mounted: Mountable, query = '', headers: Record<string, string> = {}) {
  return mounted.handle(new TestRequest('GET', { url: `/inspector${query}`, headers }))
}

export async function view(mounted: Mountable, query = ''): Promise<View> {
  const { status, body } = await ask(mounted, `?view${query}`)
  expect(status).toBe(200)
  return JSON.parse(body as string) as View
}

export function tell(mounted: Mountable, body: unknown, headers: Record<string, string> = command) {
  return mounted.handle(new TestRequest('POST', { url: '/inspector', headers, body }))
}
