import { type AddressInfo, createServer } from 'node:net'
import { FastMCP } from 'fastmcp'
import { park } from './parking.ts'
import type { RunningTarget } from './running-target.ts'
import { sendProgress } from './send-progress.ts'
import { echoInput, parkInput, progressInput } from './tools.ts'

const ignore = (): void => undefined
/** It warns of each client that declares no capabilities. */
const silent = { debug: ignore, error: ignore, info: ignore, log: ignore, warn: ignore }

/** fastmcp, which owns its HTTP server and wants to be told a port. */
export async function startFastmcp({ json = false } = {}): Promise<RunningTarget> {
  const server = new FastMCP({ name: 'bench', version: '1.0.0', ping: { enabled: false }, logger: silent })
  server.addTool({ name: 'echo', description: 'echo', parameters: echoInput, execute: async ({ text }) => text })
  server.addTool({
    name: 'progress',
    description: 'progress',
    parameters: progressInput,
    async execute(input, { reportProgress }) {
      await sendProgress(input, (progress) => reportProgress({ progress, total: input.count }))
      return 'done'
    },
  })
  server.addTool({
    name: 'park',
    description: 'park',
    parameters: parkInput,
    async execute() {
      await park()
      return 'released'
    },
  })
  const port = await findFreePort()
  await server.start({
    transportType: 'httpStream',
    httpStream: { port, host: '127.0.0.1', endpoint: '/mcp', enableJsonResponse: json },
  })
  return { url: `http://127.0.0.1:${port}/mcp` }
}

async function findFreePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}
