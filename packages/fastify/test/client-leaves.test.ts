import { describe, expect, test } from 'vitest'
import { describeClientLeaves } from '../../../test-support/adapters/describe-client-leaves.ts'
import { describeReaderLeaves } from '../../../test-support/adapters/describe-reader-leaves.ts'
import { start } from '../../../test-support/adapters/start.ts'
import { McpClient } from '../../../test-support/client/mcp-client.ts'
import { begin, leave } from '../../../test-support/client/reply.ts'
import { settle } from '../../../test-support/endpoints.ts'
import { report } from '../../../test-support/sdk-server.ts'
import { deferred } from '../../../test-support/waiting.ts'
import { adapters, type Hook } from './adapter.ts'

for (const adapter of adapters) {
  describeClientLeaves(adapter, { fronts: [{ name: 'a hook alone', before: [], parses: false }] })
  describeReaderLeaves(adapter)
}

describe.each(adapters)('$name: the client leaves', (adapter) => {
  test.each(['preHandler', 'onSend'] as const)('while a %s hook waits', async (name) => {
    let slow = false
    const waiting = deferred()
    const goOn = deferred()
    const wait = async (): Promise<void> => {
      if (!slow) return
      waiting.resolve()
      await goOn.promise
    }
    const before: Hook[] = [(app) => app.addHook(name as 'preHandler', wait)]
    const { url, endpoint, exchanges, expectNoFault } = await start(adapter, {
      before,
      tools: { chat: (_args, extra) => report(extra, 'hello') },
    })
    const client = await McpClient.open(url)
    slow = true
    const outgoing = begin(url, { headers: client.headers })
    outgoing.end(JSON.stringify(client.callMessage('chat')))
    await waiting.promise
    leave(outgoing)
    await exchanges.at(-1)?.closed
    slow = false
    goOn.resolve()
    await settle(endpoint)
    expect(await client.textOf('echo', { text: 'alive' })).toBe('alive')
    expectNoFault()
  })
})
