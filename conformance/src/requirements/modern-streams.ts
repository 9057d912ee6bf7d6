import type { CheckContext } from '../client/context.ts'
import { expectEqual, expectThat, notTestable } from '../client/expect.ts'
import { everyCapability, isRequest, isResponse, type Json, type Message } from '../client/json-rpc.ts'
import { type ModernAnswer, modernCall, modernRole, modernSend, modernStart, modernTool } from '../client/modern.ts'
import { openListen } from '../client/modern-listen.ts'
import { ModernTrace } from '../client/modern-trace.ts'
import { countResponses, messagesOn } from '../client/probes.ts'
import { delay, patienceMs } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const transport = '2026-07-28/basic/transports/streamable-http'
const receiving = `${transport}#receiving-messages`
const cancellation = `${transport}#cancellation`
const progress = '2026-07-28/basic/patterns/progress'
const probe = ['role:abort_probe', 'role:abort_query'] as const

/** As long as a call may wait: longer than the checks look for its end. */
const probeMs = 8_000

/** A call with progress whose answer is an event stream. */
async function streamed(context: CheckContext, progressToken: string): Promise<ModernAnswer> {
  const answer = await modernTool(context, 'progress', {}, { meta: { progressToken } })
  if (!answer.exchange.isEventStream) notTestable('the server answers a call with progress without a stream')
  return answer
}

/** What a call of the tool for `progress` reports under this token, and under others. */
async function reportsOf(context: CheckContext, progressToken: string | number): Promise<Json[]> {
  await modernRole(context, 'progress')
  const { exchange } = await modernTool(context, 'progress', {}, { meta: { progressToken } })
  const reports = messagesOn(exchange).filter(({ method }) => method === 'notifications/progress')
  if (reports.length === 0) notTestable('the server reports no progress to clients of 2026-07-28')
  return reports.map(({ params }) => params ?? {})
}

function tokensIn(messages: readonly Message[]): unknown[] {
  return messages.filter(({ method }) => method === 'notifications/progress').map(({ params }) => params?.progressToken)
}

/** T. Event streams that answer one request. */
export const modernStreamRequirements = [
  requirement({
    id: 'modern/no-requests-on-streams',
    title: 'A stream that answers a request of 2026-07-28 carries no requests of the server.',
    rows: ['R279'],
    level: 'MUST NOT',
    spec: receiving,
    era: 'modern',
    needs: ['role:ask_modern'],
    async check(context) {
      await modernRole(context, 'ask_modern')
      const { exchange } = await modernSend(
        context,
        'tools/call',
        { name: 'ask_modern', arguments: {} },
        { capabilities: everyCapability },
      )
      // A server that asks on the stream waits for an answer, and may never end it.
      if (exchange.isEventStream) await exchange.stream.endsWithin(1_000)
      const [first] = messagesOn(exchange).filter(isRequest)
      expectThat(first === undefined, `Expected no requests on the stream, got ${JSON.stringify(first)}`)
    },
  }),
  requirement({
    id: 'modern/progress-increases',
    title: 'The progress values of a call increase with each notification.',
    rows: ['R319'],
    level: 'MUST',
    spec: `${progress}#progress-flow`,
    era: 'modern',
    needs: ['role:progress'],
    async check(context) {
      const values = (await reportsOf(context, 'increasing')).map((report) => Number(report.progress))
      const isIncreasing = values.every((value, index) => index === 0 || value > (values[index - 1] ?? value))
      expectThat(isIncreasing, `Expected the progress to increase, got ${values.join(', ')}`)
    },
  }),
  requirement({
    id: 'modern/progress-keeps-the-token',
    title: 'Progress notifications have the token of their request, in value and type.',
    rows: ['R319'],
    level: 'MUST',
    spec: `${progress}#behavior-requirements`,
    era: 'modern',
    needs: ['role:progress'],
    async check(context) {
      for (const token of ['71', 71]) {
        for (const { progressToken } of await reportsOf(context, token)) {
          expectEqual(progressToken, token, 'the token of a progress notification')
        }
      }
    },
  }),
  requirement({
    id: 'modern/progress-needs-a-token',
    title: 'A call without a progress token brings no progress notifications.',
    rows: ['R319'],
    level: 'MUST',
    spec: `${progress}#behavior-requirements`,
    because: 'Progress may name only the token of an active request: where none came there is none to name.',
    era: 'modern',
    needs: ['role:progress'],
    async check(context) {
      await modernRole(context, 'progress')
      const { exchange } = await modernTool(context, 'progress')
      expectEqual(tokensIn(messagesOn(exchange)), [], 'the tokens of progress for a call without one')
    },
  }),
  requirement({
    id: 'modern/streams-carry-only-their-own-messages',
    title: 'A stream that answers a request carries notifications about that request alone.',
    rows: ['R280'],
    level: 'MUST',
    spec: receiving,
    era: 'modern',
    needs: ['role:progress'],
    async check(context) {
      await modernRole(context, 'progress')
      const tokens = ['progress-a', 'progress-b', 'progress-c']
      const answers = await Promise.all(tokens.map((token) => streamed(context, token)))
      for (const [index, { exchange }] of answers.entries()) {
        await exchange.stream.answered(1)
        const foreign = tokensIn(messagesOn(exchange)).filter((token) => token !== tokens[index])
        expectEqual(foreign, [], `tokens of other calls on the stream of ${tokens[index]}`)
      }
    },
  }),
  requirement({
    id: 'modern/response-ends-the-stream',
    title: 'The response is one, comes last and ends the stream.',
    rows: ['R281'],
    level: 'SHOULD',
    spec: receiving,
    era: 'modern',
    needs: ['role:progress'],
    async check(context) {
      await modernRole(context, 'progress')
      const { exchange, request } = await streamed(context, 'progress')
      const ended = await exchange.stream.endsWithin(patienceMs)
      expectThat(ended, `Expected the response to end the stream, it was open ${patienceMs} ms later`)
      const messages = messagesOn(exchange)
      expectEqual(countResponses(messages, request.id), 1, 'the number of responses on the stream')
      const last = messages.at(-1)
      expectThat(
        last !== undefined && isResponse(last),
        `Expected the response to come last, got ${JSON.stringify(last)}`,
      )
    },
  }),
  requirement({
    id: 'modern/closing-the-stream-cancels',
    title: 'A client that closes the stream of its request cancels it: the work is aborted.',
    rows: ['R284'],
    level: 'MUST',
    spec: cancellation,
    era: 'modern',
    needs: probe,
    async check(context) {
      const trace = await ModernTrace.create(context)
      const started = modernStart(context, 'tools/call', trace.params(probeMs), { meta: { progressToken: trace.key } })
      await trace.until('running')
      const exchange = await Promise.race([started.exchange, delay(2_000)])
      if (!exchange?.isEventStream) notTestable('the server answers the abort probe without a stream')
      exchange.abort()
      await trace.until('aborted')
    },
  }),
  requirement({
    id: 'modern/disconnect-before-the-answer-cancels',
    title: 'A client that goes before anything was answered cancels its request: the work is aborted.',
    rows: ['R285'],
    level: 'MUST',
    spec: '2026-07-28/basic/patterns/cancellation#transport-specific-cancellation',
    era: 'modern',
    needs: probe,
    async check(context) {
      const trace = await ModernTrace.create(context)
      const started = modernStart(context, 'tools/call', trace.params(probeMs))
      await trace.until('running')
      started.abort()
      await trace.until('aborted')
    },
  }),
  requirement({
    id: 'modern/finished-call-leaves-listeners-alone',
    title: 'A request that is answered or dropped ends no subscription of the same client.',
    rows: ['R284', 'R290'],
    level: 'MUST',
    spec: '2026-07-28/basic#statelessness',
    because: 'The state of a long-lived request is its own; no other request, and no connection, ends it.',
    era: 'modern',
    async check(context) {
      const listening = await openListen(context)
      const { exchange } = await modernSend(context, 'server/discover')
      exchange.abort()
      await modernCall(context, 'server/discover')
      const granted = Object.keys((await listening.first()).params?.notifications ?? {})
      if (granted.length === 0) notTestable('the server grants no notifications')
      expectThat(
        !(await listening.exchange.stream.endsWithin(200)),
        'Expected the subscription to stay open beside other requests, it ended',
      )
    },
  }),
]
