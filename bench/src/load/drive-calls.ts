import autocannon from 'autocannon'
import type { EchoRequest } from './mcp-client.ts'
import { checkAnswer } from './messages.ts'

export interface CallLoad {
  readonly url: string
  readonly connections: number
  readonly durationMs: number
  /** Forms one request of one connection. */
  readonly toEcho: (connection: number, id: number, text: string) => EchoRequest
}

export interface CallResult {
  /** Right answers. */
  readonly answers: number
  readonly seconds: number
  /** Milliseconds, ascending. */
  readonly latencies: Float64Array
}

/** Ids differ between calls, and between connections too: they may share a session. */
const callsPerConnection = 16

/** Between loads as well: a call that the last one left behind when its time was up may still be in flight. */
let nextId = 1

/** A call that is not answered by then never will be. */
const answerMs = 30_000

/**
 * Calls `echo` as fast as it is answered, one call at a time on each connection, with a text of its own on each, and
 * reads every answer. Takes longer than `durationMs` when some connection has none by then: a busy machine may leave a
 * server without a turn for long.
 * @throws Error for the first answer that was wrong or did not come.
 */
export async function driveCalls({ url, connections, durationMs, toEcho }: CallLoad): Promise<CallResult> {
  const firstId = nextId
  nextId += connections * callsPerConnection
  const answered = new Set<number>()
  const latencies: number[] = []
  let connection = 0
  let answers = 0
  let failure: Error | undefined
  let isTimeUp = false

  function setUpClient(client: autocannon.Client): void {
    const index = connection++
    const text = `hello from connection ${index}`
    const requests = Array.from({ length: callsPerConnection }, (_, call): autocannon.Request => {
      const id = firstId + index * callsPerConnection + call
      const { headers, body } = toEcho(index, id, text)
      return {
        method: 'POST',
        headers: { ...headers },
        body,
        onResponse: (status, body) => check(status, body, { index, id, text }),
      }
    })
    client.setRequests(requests)
  }

  function check(status: number, body: string, { index, id, text }: { index: number; id: number; text: string }): void {
    try {
      if (status !== 200) throw new Error(`Expected status 200, got ${status}: ${body.slice(0, 200)}`)
      checkAnswer(body, id, text)
      answers++
      answered.add(index)
    } catch (error) {
      failure ??= error as Error
    }
    stopWhenDone()
  }

  function stopWhenDone(): void {
    if (isTimeUp && (failure || answered.size === connections)) run?.stop()
  }

  const startedAt = performance.now()
  let run: autocannon.Instance | undefined
  await new Promise((resolve, reject) => {
    const options: autocannon.Options = {
      url,
      connections,
      // Only if connections come and go without an answer: otherwise it is stopped.
      duration: (durationMs + 2 * answerMs) / 1_000,
      // How often it looks whether it was stopped.
      sampleInt: Math.min(100, durationMs),
      timeout: answerMs / 1_000,
      setupClient: setUpClient,
    }
    run = autocannon(options, (error, result) => (error ? reject(error) : resolve(result)))
    run.on('response', (_client, _status, _bytes, milliseconds) => void latencies.push(milliseconds))
    run.on('reqError', (error: Error) => {
      failure ??= new Error(`${error.message}, after ${answers} answers`)
      stopWhenDone()
    })
    setTimeout(() => {
      isTimeUp = true
      stopWhenDone()
    }, durationMs)
  })
  const seconds = (performance.now() - startedAt) / 1_000
  if (failure) throw failure
  const silent = connections - answered.size
  if (silent > 0) throw new Error(`${silent} of ${connections} connections got no answer`)
  return { answers, seconds, latencies: Float64Array.from(latencies).sort() }
}
