import { fileURLToPath } from 'node:url'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { connectOver } from './sdk-1.mjs'

const program = fileURLToPath(new URL('../node_modules/mcp-remote/dist/proxy.js', import.meta.url))
const configuration = fileURLToPath(new URL('../mcp-remote', import.meta.url))

/** mcp-remote, between the server and a client of SDK 1.x on stdio. `setting` is its flag `--protocol`. */
export function connect(url, { setting, ...hooks }) {
  const args = [program, url, '--protocol', setting]
  const env = { ...process.env, MCP_REMOTE_CONFIG_DIR: configuration }
  return connectOver(new StdioClientTransport({ command: process.execPath, args, env, stderr: 'inherit' }), hooks)
}
