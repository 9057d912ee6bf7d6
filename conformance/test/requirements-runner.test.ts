import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import type { CheckContext } from '../src/client/context.ts'
import { fail, notTestable } from '../src/client/expect.ts'
import type { Target } from '../src/client/target.ts'
import { Witness } from '../src/client/witness.ts'
import { type Level, type RequirementDefinition, requirement } from '../src/requirement.ts'
import { checkRequirement, selectRequirements } from '../src/runner.ts'

const target: Target = {
  url: new URL('http://127.0.0.1:9/mcp'),
  version: '2025-11-25',
  versions: ['2025-11-25'],
  server: '',
  tools: new Set(['echo']),
  roles: new Map(),
  miscast: new Map(),
  candidates: new Map(),
  witness: new Witness(),
  offers: new Set(['legacy', 'sessions', 'role:echo']),
  client: {},
  secrets: new Map(),
  roundTripMs: 1,
  credentials: {},
  secondUrl: undefined,
}

function make(check: (context: CheckContext) => Promise<void>, more: Partial<RequirementDefinition> = {}) {
  return requirement({
    id: 'test/one',
    title: 'One.',
    rows: ['R001'],
    level: 'MUST',
    spec: 'RFC 9110 §9.1',
    check,
    ...more,
  })
}

test('gives the verdict that the level asks for', async () => {
  const verdicts: [Level, string][] = [
    ['MUST', 'fail'],
    ['MUST NOT', 'fail'],
    ['RFC-MUST', 'fail'],
    ['dMUST', 'fail'],
    ['SHOULD', 'warn'],
    ['SHOULD NOT', 'warn'],
    ['HARD', 'advice'],
    ['MAY', 'info'],
  ]
  for (const [level, verdict] of verdicts) {
    const result = await checkRequirement(
      make(async () => fail('it is not so'), { level }),
      target,
    )
    expect([result.verdict, result.message]).toEqual([verdict, 'it is not so'])
  }
})

test('passes a check that returns', async () => {
  expect(
    await checkRequirement(
      make(async () => undefined),
      target,
    ),
  ).toMatchObject({ verdict: 'pass', message: '' })
})

test('does not judge by a check that takes too long', async () => {
  const result = await checkRequirement(
    make(() => new Promise(() => undefined)),
    target,
    { timeoutMs: 20 },
  )
  expect(result).toMatchObject({ verdict: 'not-run', message: 'the check did not come to its end in time' })
})

test('fails a check whose server cannot be reached, and shows what was sent', async () => {
  const result = await checkRequirement(
    make(async ({ post }) => void (await post({ a: 1 }))),
    target,
  )
  expect(result.verdict).toBe('fail')
  expect(result.message).toContain('ECONNREFUSED')
  expect(result.transcript).toContain('{"a":1}')
})

test('says why a requirement cannot be tested', async () => {
  const said = await checkRequirement(
    make(async () => notTestable('no reason')),
    target,
  )
  expect(said).toMatchObject({ verdict: 'not-testable', message: 'no reason' })
  const needing = await checkRequirement(
    make(async () => undefined, { needs: ['sse', 'role:echo', 'role:push'] }),
    target,
  )
  expect(needing).toMatchObject({
    verdict: 'not-testable',
    message: expect.stringMatching(
      /^needs a server that answers .* event stream, and a tool that sends .*--tool push=NAME/,
    ),
  })
  const old = await checkRequirement(
    make(async () => undefined, { until: '2025-06-18' }),
    target,
  )
  expect(old.verdict).toBe('not-testable')
})

test('ends its streams and sessions after a check that fails', async () => {
  const seen = { deleted: [] as unknown[], closed: 0 }
  const server = createServer((request, response) => {
    if (request.method === 'DELETE') {
      seen.deleted.push(request.headers['mcp-session-id'])
      response.end()
    } else if (request.method === 'GET') {
      response.on('close', () => {
        seen.closed += 1
      })
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    } else {
      const result = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'n', version: '1' } }
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        const headers = { 'Content-Type': 'application/json', 'Mcp-Session-Id': 'one' }
        response.writeHead(200, headers).end(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(body).id, result }))
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`)
  const check = async ({ open }: CheckContext) => {
    await (await open()).listen()
    fail('on purpose')
  }
  const result = await checkRequirement(make(check), { ...target, url })
  await expect.poll(() => seen.closed).toBe(1)
  await new Promise((resolve) => server.close(resolve))
  expect(result.message).toBe('on purpose')
  expect(seen.deleted).toEqual(['one'])
})

test('chooses by id and by area', () => {
  expect(selectRequirements(['session/unknown-id-is-404']).map(({ id }) => id)).toEqual(['session/unknown-id-is-404'])
  const area = selectRequirements(['session/'], ['session/unknown-id-is-404']).map(({ id }) => id)
  expect(area.every((id) => id.startsWith('session/'))).toBe(true)
  expect(area).not.toContain('session/unknown-id-is-404')
})
