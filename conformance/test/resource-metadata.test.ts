import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { unsignedLike } from '../src/client/bearer.ts'
import { createContext } from '../src/client/context.ts'
import { findMetadata } from '../src/client/resource-metadata.ts'
import type { Target } from '../src/client/target.ts'
import { Witness } from '../src/client/witness.ts'

const wellKnown = '/.well-known/oauth-protected-resource'

interface Asked {
  readonly path: string
  readonly authorization: string | undefined
}

interface Served {
  readonly target: Target
  /** GET requests that came. */
  readonly asked: Asked[]
}

/** A server that refuses every POST with `challenge`, in which `{port}` is its own, and has documents at these paths. */
async function serve(challenge: string, documents: Record<string, unknown>): Promise<Served> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const { method, headers, url = '' } = request
    request.resume()
    if (method === 'POST') {
      response
        .writeHead(401, { 'www-authenticate': challenge.replace('{port}', String(request.socket.localPort)) })
        .end()
      return
    }
    asked.push({ path: url, authorization: headers.authorization })
    if (url in documents) response.end(JSON.stringify(documents[url]))
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/mcp`)
  const target: Target = {
    url,
    version: '2025-11-25',
    versions: ['2025-11-25'],
    server: '',
    tools: new Set(),
    roles: new Map(),
    miscast: new Map(),
    candidates: new Map(),
    witness: new Witness(),
    offers: new Set(['legacy', 'auth']),
    client: { headers: { Authorization: 'Bearer secret' } },
    secrets: new Map(),
    credentials: { token: 'secret' },
    roundTripMs: 1,
    secondUrl: undefined,
  }
  return { target, asked }
}

async function find({ target }: Served) {
  const context = createContext(target)
  try {
    return await findMetadata(context)
  } finally {
    await context.close()
  }
}

test('asks where the challenge says, whatever else is in the header, and sends no token there', async () => {
  const others = 'Negotiate abc==, Basic realm="Bearer resource_metadata=\\"http://127.0.0.1:1/\\"", '
  const served = await serve(`${others}bearer realm=a, Resource_Metadata="http://localhost:{port}/here?v=1"`, {
    '/here?v=1': { resource: 'x' },
    [wellKnown]: { resource: 'y' },
  })
  const found = await find(served)
  expect(served.asked).toEqual([{ path: '/here?v=1', authorization: undefined }])
  expect(found?.document).toEqual({ resource: 'x' })
  expect(found?.resources.map(String)).toEqual([served.target.url.href])
})

test('finds nothing where the challenge names a place that has none', async () => {
  const served = await serve('Bearer resource_metadata="http://127.0.0.1:{port}/gone"', { [wellKnown]: {} })
  expect(await find(served)).toBeUndefined()
})

test('asks no other host, but the well-known places of a loopback address', async () => {
  const challenge = 'Bearer resource_metadata="https://mcp.example.com/there"'
  const bare = await serve(challenge, {})
  await expect(find(bare)).rejects.toThrow('on another host, which is not asked: https://mcp.example.com/there')
  const local = await serve(challenge, { [`${wellKnown}/api/mcp`]: { resource: 'https://mcp.example.com/api/mcp' } })
  expect((await find(local))?.document.resource).toBe('https://mcp.example.com/api/mcp')
})

test('takes the well-known places in the order of the specification', async () => {
  const served = await serve('Bearer', { [wellKnown]: { resource: 'x' } })
  const { origin } = served.target.url
  const found = await find(served)
  expect(served.asked).toEqual([
    { path: `${wellKnown}/api/mcp`, authorization: undefined },
    { path: wellKnown, authorization: undefined },
  ])
  expect(found?.document).toEqual({ resource: 'x' })
  expect(found?.resources.map(String)).toEqual([`${origin}/api/mcp`, `${origin}/`])
})

test('a forged token says what the server looks for, nothing of a person, and has not the right signature', () => {
  const toPart = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iss: 'https://issuer.example.com', aud: 'mcp', sub: 'alice', email: 'alice@example.com', exp: 1 }
  const forged = unsignedLike(`${toPart({ alg: 'RS256', kid: 'k' })}.${toPart(claims)}.c2lnbmF0dXJl`)
  const [none, random] = forged.map((token) => token.split('.'))
  const parse = (part = '') => JSON.parse(Buffer.from(part, 'base64url').toString())
  expect(parse(none?.[0])).toEqual({ alg: 'none', kid: 'k' })
  expect(none?.[2]).toBe('')
  expect(parse(random?.[0])).toEqual({ alg: 'RS256', kid: 'k' })
  expect(random?.[2]).not.toBe('c2lnbmF0dXJl')
  for (const parts of [none, random]) {
    const said = parse(parts?.[1])
    expect(said).toMatchObject({ iss: claims.iss, aud: claims.aud, sub: 'conformance' })
    expect(said).not.toHaveProperty('email')
    expect(said.exp * 1_000).toBeGreaterThan(Date.now())
  }
  expect(['opaque', 'a.b.c', 'a.b'].flatMap(unsignedLike)).toEqual([])
})
