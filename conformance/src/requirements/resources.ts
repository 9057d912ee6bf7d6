import { expectThat, notTestable } from '../client/expect.ts'
import { isObject } from '../client/json-rpc.ts'
import { requirement } from '../requirement.ts'

/** U. Resources, up to 2025-11-25. */
export const resourceRequirements = [
  requirement({
    id: 'resources/unknown-is-not-found',
    title: 'Reading a resource that does not exist is error -32002.',
    rows: ['R314'],
    level: 'SHOULD',
    spec: '2025-11-25/server/resources#error-handling',
    async check({ open }) {
      const session = await open()
      const { capabilities } = session.initializeResponse.result ?? {}
      const isOffered = isObject(capabilities) && capabilities.resources !== undefined
      if (!isOffered) notTestable('the server announces no resources')
      const response = await session.request('resources/read', { uri: 'throughline://no/such/resource' })
      const contents = response.result?.contents
      const isRead = response.result !== undefined && !(Array.isArray(contents) && contents.length === 0)
      if (isRead) notTestable('the server reads whatever URI it is given')
      expectThat(
        response.error?.code === -32002,
        `Expected error -32002 for a resource that does not exist, got ${JSON.stringify(response)}`,
      )
    },
  }),
]
