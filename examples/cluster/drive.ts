import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { LoggingMessageNotificationSchema, McpError } from '@modelcontextprotocol/sdk/types.js'
import type { Tally } from './tally.ts'

/** Longest time to wait, in milliseconds, for what is still on its way at the end. */
const lastEventsMs = 10_000

const pauseMs = 20
const report = { steps: 10, stepMs: 60 }
const upTo = (end: number) => Array.from({ length: end }, (_, index) => index + 1)

/** A client with a session of its own: calls tools one after the other, and listens, until `signal` says to stop. */
export async function drive(url: string, tally: Tally, signal: AbortSignal): Promise<void> {
  const client = new Client({ name: 'cluster-example', version: '1.0.0' })
  const came: number[] = []
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
    came.push((params.data as { number: number }).number)
  })
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  const caller = new Caller(client, tally)
  const announced: number[] = []
  for (let number = 1; !signal.aborted; number++) {
    await caller.call('forecast', { city: 'Lisbon' })
    if (await caller.call('announce', { number })) announced.push(number)
    await caller.callWithProgress()
    await sleep(pauseMs)
  }
  await untilTrue(() => announced.every((number) => came.includes(number)), lastEventsMs)
  tally.count(came, announced)
  await client.close()
}

class Caller {
  readonly #client: Client
  readonly #tally: Tally

  constructor(client: Client, tally: Tally) {
    this.#client = client
    this.#tally = tally
  }

  /** Whether it was answered with a result. */
  async call(name: string, args: Record<string, unknown>, onprogress?: (step: number) => void): Promise<boolean> {
    const since = performance.now()
    this.#tally.calls++
    try {
      const options = onprogress && { onprogress: ({ progress }: { progress: number }) => onprogress(progress) }
      const { isError, content } = await this.#client.callTool({ name, arguments: args }, undefined, options)
      if (isError) throw new Error(JSON.stringify(content))
      this.#tally.answered++
      return true
    } catch (error) {
      if (isOfDeadNode(error)) this.#tally.died++
      else this.#tally.otherwise.push(`${name}: ${error}`)
      return false
    } finally {
      this.#tally.longestMs = Math.max(this.#tally.longestMs, performance.now() - since)
    }
  }

  async callWithProgress(): Promise<void> {
    const came: number[] = []
    const isAnswered = await this.call('report', report, (step) => came.push(step))
    // Of a call that was not answered, those that came are as good, and no more had to.
    this.#tally.count(came, isAnswered ? upTo(report.steps) : [])
  }
}

/** The endpoint says so in place of a node that ran the call; nginx with 502, when the node that it asked died. */
function isOfDeadNode(error: unknown): boolean {
  if (error instanceof McpError) return error.code === -32_000 && error.message.includes('ended before its answer')
  return error instanceof StreamableHTTPError && error.code === 502
}

async function untilTrue(isTrue: () => boolean, limitMs: number): Promise<void> {
  const endsAt = performance.now() + limitMs
  while (!isTrue() && performance.now() < endsAt) await sleep(50)
}
