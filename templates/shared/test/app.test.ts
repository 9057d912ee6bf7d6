import { createEndpoint } from '@throughline/mcp-http-core'
import { expect, onTestFinished, test } from 'vitest'
import { listen } from '../src/app.ts'
import { buildServer } from '../src/server.ts'
import { connect } from './client.ts'

async function start() {
  const endpoint = createEndpoint({ server: () => buildServer() })
  const { port, close } = await listen(endpoint, { port: 0, host: '127.0.0.1' })
  onTestFinished(async () => {
    await endpoint.close({ drainMs: 0 })
    await close()
  })
  return { endpoint, origin: `http://127.0.0.1:${port}` }
}

test('calls a tool', async () => {
  const { origin } = await start()
  const client = await connect(`${origin}/mcp`)
  const { content } = await client.callTool({ name: 'forecast', arguments: { city: 'Lisbon' } })
  expect(content).toEqual([{ type: 'text', text: 'Lisbon: sunny' }])
})

test('reports progress of a long job', async () => {
  const { origin } = await start()
  const client = await connect(`${origin}/mcp`)
  const seen: number[] = []
  const onprogress = ({ progress }: { progress: number }) => seen.push(progress)
  await client.callTool({ name: 'count', arguments: { to: 3 } }, onprogress)
  expect(seen).toEqual([1, 2, 3])
})

test('answers what runs before it shuts down', async () => {
  const { endpoint, origin } = await start()
  const client = await connect(`${origin}/mcp`)
  let began = (): void => undefined
  const running = new Promise<void>((resolve) => {
    began = resolve
  })
  const call = client.callTool({ name: 'count', arguments: { to: 3 } }, began)
  await running
  await endpoint.close({ drainMs: 10_000 })
  expect((await call).content).toEqual([{ type: 'text', text: 'counted to 3' }])
  expect((await fetch(`${origin}/health`)).status).toBe(503)
})
