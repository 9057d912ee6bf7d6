import autocannon from 'autocannon'
import type { Headers } from './mcp-client.ts'
import { checkAnswer, toCall } from './messages.ts'

export interface CallLoad {
  readonly url: string
  /** Of each connection. */
  readonly headers: readonly Headers[]
  readonly durationMs: number
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

/** Answers that the others got on average by when a connection without any counts as stuck. */
const mostUnfair = 50

/** A busy machine may leave a server without a turn for a shorter load than this. */
const shortestMs = 1_000

/**
 * Calls `echo` as fast as it is answered, one call at a time on each connection, with a text of its own on each, and
 * reads every answer.
 * @throws Error for the first answer that was wrong or did not come.
 */
export async function driveCalls({ url, headers, durationMs }: CallLoad): Promise<CallResult> {
  let connection = 0
  let answers = 0
  const answered = new Set<number>()
  let failure: Error | undefined
  const latencies: number[] = []

  function setUpClient(client: autocannon.Client): void {
    const index = connection++
    const text = `hello from connection ${index}`
    const requests = Array.from({ length: callsPerConnection }, (_, call): autocannon.Request => {
      const id = index * callsPerConnection + call + 1
      return {
        method: 'POST',
        headers: { ...headers[index % headers.length] },
        body: toCall(id, 'echo', { text }),
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
  }

  const startedAt = performance.now()
  const { errors, timeouts } = await new Promise<autocannon.Result>((resolve, reject) => {
    const options: autocannon.Options = {
      url,
      connections: headers.length,
      duration: durationMs / 1_000,
      // How often it looks whether time is up.
      sampleInt: Math.min(100, durationMs),
      timeout: 30,
      setupClient: setUpClient,
    }
    const run = autocannon(options, (error, result) => (error ? reject(error) : resolve(result)))
    run.on('response', (_client, _status, _bytes, milliseconds) => void latencies.push(milliseconds))
  })
  const seconds = (performance.now() - startedAt) / 1_000
  if (failure) throw failure
  if (errors + timeouts > 0) throw new Error(`${answers} answers, ${errors} errors, ${timeouts} timeouts`)
  if (answers === 0 && durationMs < shortestMs) return driveCalls({ url, headers, durationMs: shortestMs })
  const silent = headers.length - answered.size
  if (answers === 0 || (silent > 0 && answers > mostUnfair * headers.length)) {
    throw new Error(`${silent} of ${headers.length} connections got no answer`)
  }
  return { answers, seconds, latencies: Float64Array.from(latencies).sort() }
}
