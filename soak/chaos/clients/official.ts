import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js'
import type { Random } from '../../random.ts'
import type { Script, Step } from '../../script.ts'
import { CallTraffic } from './call-traffic.ts'
import type { ChaosWorld } from './chaos-world.ts'

/** The official client's own, in milliseconds: none of its calls may run into it. */
const toTimeout = ({ hungAfterMs }: ChaosWorld): number => Math.round((hungAfterMs * 4) / 3)

/** It comes back until its time-out: a store may be away for longer than a few times the time that `retry` asks for. */
const maxRetries = 10_000

/** Tries of the balancer to find a node that is there. */
const maxTries = 10

/** Clients of the official SDK, one session after the other, behind a balancer. */
export async function populateOfficial(world: ChaosWorld, random: Random, count: number): Promise<void> {
  const come = async (own: Random): Promise<void> => {
    while (!world.stopped.aborted) await visit(world, own)
  }
  await Promise.all(Array.from({ length: count }, (_, i) => come(random.fork(i))))
}

async function visit(world: ChaosWorld, random: Random): Promise<void> {
  const client = new Client({ name: world.nextName(), version: 'lists' })
  client.fallbackRequestHandler = async ({ params }) => ({
    nonce: (params as { mark?: { nonce?: string } } | undefined)?.mark?.nonce,
  })
  const openedAt = performance.now()
  const transcript: string[] = []
  const note = (text: string): void => void transcript.push(`${Math.round(performance.now())} ${text.slice(0, 200)}`)
  const traffic = new CallTraffic(note)
  const transport = new StreamableHTTPClientTransport(new URL('http://balancer.invalid/mcp'), {
    fetch: (_url, init) => balance(world, init, { traffic, note }),
    reconnectionOptions: {
      ...{ initialReconnectionDelay: 200, maxReconnectionDelay: 1_000, reconnectionDelayGrowFactor: 1.5 },
      maxRetries,
    },
  })
  client.onerror = (error) => note(String(error))
  try {
    await client.connect(transport as Parameters<Client['connect']>[0], { timeout: toTimeout(world) })
    world.tally.count('official sessions')
    for (let i = 0; i < 6 && !world.stopped.aborted; i++) await call(client, toScript(`call ${i}`, random), world)
    await transport.terminateSession()
  } catch (error) {
    judge(error, world, { openedAt, transcript, traffic })
    await sleep(200)
  } finally {
    await client.close()
  }
}

async function call(client: Client, script: Script, world: ChaosWorld): Promise<void> {
  let progress = 0
  world.tally.count('official calls')
  const params = { name: 'play', arguments: { ...script } }
  const onprogress = (): void => void progress++
  const result = await client.callTool(params, undefined, { timeout: toTimeout(world), onprogress })
  world.tally.count('official results')
  const { sent } = result.played as { sent: number }
  const questions = script.steps.filter((step) => step.do === 'ask').length
  // It cannot be told of a gap in the stream of a call.
  if (progress < sent - questions) world.tally.count('official calls with missing progress')
  if (progress > sent - questions) world.tally.fault('doubled', `official: ${progress} of ${sent - questions}`)
}

interface Visit {
  readonly openedAt: number
  readonly transcript: readonly string[]
  readonly traffic: CallTraffic
}

/** Any error is an outcome, but for the client's own that nothing came. */
function judge(error: unknown, { tally, hasLostSince }: ChaosWorld, { openedAt, transcript, traffic }: Visit): void {
  const isTimeout = error instanceof McpError && error.code === ErrorCode.RequestTimeout
  // It does not take the 404 that its stream is answered with for the end of its calls.
  if (isTimeout && hasLostSince(openedAt)) tally.count('official: timed out in a session that was lost')
  else if (isTimeout && traffic.excuse !== undefined) tally.count(`official: ${traffic.excuse}`)
  else if (isTimeout) tally.fault('hung', `official: ${error}\n    ${transcript.slice(-40).join('\n    ')}`)
  else tally.count(`official: ${String(error).slice(0, 70)}`)
}

async function balance(
  world: ChaosWorld,
  init: RequestInit | undefined,
  { traffic, note }: { readonly traffic: CallTraffic; readonly note: (text: string) => void },
): Promise<Response> {
  const [method, body] = [init?.method ?? 'GET', String(init?.body ?? '')]
  const lastEventId = new Headers(init?.headers).get('last-event-id')
  for (let tries = 1; ; tries++) {
    const [url, sentAt] = [world.url(), performance.now()]
    const what = `${method} ${lastEventId ?? ''} ${body.slice(0, 60)} at ${url}`
    try {
      const response = await fetch(url, init)
      note(`${what}: ${response.status} ${response.headers.get('content-type')}`)
      const hasNodeEnded = () => world.hasEndedSince(url, sentAt)
      return traffic.watch({ method, body, lastEventId, hasNodeEnded }, response)
    } catch (error) {
      note(`${what}: ${error}`)
      const { code } = ((error as Error).cause ?? {}) as { code?: string }
      if (code !== 'ECONNREFUSED' || tries === maxTries) throw error
      await sleep(50)
    }
  }
}

function toScript(call: string, random: Random): Script {
  const toStep = (): Step => {
    if (random.chance(0.2)) return { do: 'ask', on: 'call', method: 'chaos/ask', timeoutMs: 10_000 }
    if (random.chance(0.3)) return { do: 'sleep', ms: random.int(0, 1_500) }
    const events = { count: random.int(1, 30), size: 50, paceMs: random.pick([0, 5, 40]), awaited: true }
    return { do: 'report', kind: 'progress', events }
  }
  return { call, steps: Array.from({ length: random.int(0, 3) }, toStep), answerSize: 10 }
}
