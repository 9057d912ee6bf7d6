import { readFile } from 'node:fs/promises'

/** Lines of a `location` between `proxy_pass` and the end of the block. */
export type LocationLines = readonly string[]

/** The lines of the documented `location /mcp`, so that what is documented is what is tested. */
export async function readDocumented(): Promise<LocationLines> {
  const page = await readFile(new URL('../../docs/deployment.md', import.meta.url), 'utf8')
  const block = /location \/mcp \{\n\s*proxy_pass [^\n]*\n([^}]*)\}/.exec(page)?.[1]
  if (block === undefined) throw new Error('Expected a `location /mcp` in docs/deployment.md')
  return block
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** A server that passes `/mcp` on. */
export function proxyTo(upstreamUrl: string, port: number, lines: LocationLines): string {
  return `
    server {
      listen 127.0.0.1:${port};
      location /mcp {
        proxy_pass ${new URL(upstreamUrl).origin};
        ${lines.join('\n        ')}
      }
    }
  `
}
