// Revision 2026-07-28: no initialize and no session. Each request says who sends it, and its headers mirror what it is.
import type { EchoRequest } from './mcp-client.ts'

export const modernRevision = '2026-07-28'

const meta = {
  'io.modelcontextprotocol/protocolVersion': modernRevision,
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

interface Params {
  /** Goes into a header as it is: letters only. */
  readonly name?: string
  readonly arguments?: Readonly<Record<string, unknown>>
  readonly notifications?: Readonly<Record<string, boolean>>
}

export function toModernRequest(id: number, method: string, params: Params = {}): EchoRequest {
  return {
    headers: {
      'mcp-protocol-version': modernRevision,
      'mcp-method': method,
      ...(params.name !== undefined && { 'mcp-name': params.name }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: meta } }),
  }
}
