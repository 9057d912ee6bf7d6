import { beginAsk } from '../client/asking.ts'
import type { CheckContext } from '../client/context.ts'
import { errorCode, expectEqual, expectHttpError, expectThat, fail, judged, notTestable } from '../client/expect.ts'
import { adviceOn } from '../client/find-versions.ts'
import { initialize, isObject, isRequest, isResponse, request, toolCall } from '../client/json-rpc.ts'
import { expectAlive, freshPing } from '../client/probes.ts'
import { responseIn } from '../client/session.ts'
import { delay, patienceMs } from '../client/waiting.ts'
import { requirement, revisions } from '../requirement.ts'

const spec = '2025-11-25/basic/lifecycle'
const unsupported = ['1900-01-01', '2099-01-01', 'garbage']

/**
 * The version that the server answers with instead of one that it does not support; `undefined` where it answers with the
 * error -32602, which is the example of the page itself (Error Handling).
 */
async function offeredInstead(
  { post, delete: remove }: CheckContext,
  asked = '1900-01-01',
): Promise<string | undefined> {
  const message = initialize(asked)
  const exchange = await post(message)
  const answer = await responseIn(exchange, message.id)
  const sessionId = exchange.header('mcp-session-id')
  if (sessionId !== undefined) await remove({ sessionId })
  if (errorCode(answer) === -32602) return undefined
  const version = answer.result?.protocolVersion
  return typeof version === 'string'
    ? version
    : fail(`Expected a version or the error -32602, got ${JSON.stringify(answer)}`)
}

/** L. Lifecycle over HTTP. */
export const lifecycleRequirements = [
  requirement({
    id: 'lifecycle/initialize-is-answered',
    title: 'An initialize is answered with a result.',
    rows: ['R183'],
    level: 'MUST',
    spec: `${spec}#initialization`,
    async check({ post, version, delete: remove }) {
      const message = initialize(version)
      const exchange = await post(message)
      const answer = await responseIn(exchange, message.id)
      const told = JSON.stringify(answer.error ?? answer)
      expectThat(answer.result !== undefined, `Expected initialize to have a result, got ${told}${adviceOn(told)}`)
      const sessionId = exchange.header('mcp-session-id')
      if (sessionId !== undefined) await remove({ sessionId })
    },
  }),
  requirement({
    id: 'lifecycle/every-client-is-served',
    title: 'Two clients, one after the other, are both initialized and get answers.',
    rows: ['R120'],
    level: 'dMUST',
    spec: '2025-11-25/basic/transports#streamable-http',
    because: 'The server is an independent process that handles several client connections.',
    async check({ open }) {
      for (const which of ['a first', 'a second']) {
        const session = await judged(open()).catch((error: unknown) => {
          const got = error instanceof Error ? error.message : String(error)
          return fail(`Expected ${which} client after those before to get a session too: ${got}${adviceOn(got)}`)
        })
        await expectAlive(session)
      }
    },
  }),
  requirement({
    id: 'lifecycle/supported-version-is-echoed',
    title: 'A supported version that the client asks for is the one that the server answers with.',
    rows: ['R180'],
    level: 'MUST',
    spec: `${spec}#version-negotiation`,
    async check(context) {
      const { open, target } = context
      expectThat(target.versions.length > 0, `Expected the server to speak one of ${revisions.join(', ')}`)
      for (const version of target.versions) {
        expectEqual((await judged(open({ version }))).version, version, 'the negotiated version')
      }
      // What the server offers by itself is supported as well.
      const offered = await offeredInstead(context)
      if (offered === undefined) return
      const { version: negotiated } = await judged(open({ version: offered, initialized: false }))
      expectEqual(negotiated, offered, 'the version in answer to the one that the server itself offered')
    },
  }),
  requirement({
    id: 'lifecycle/unsupported-version-is-answered-with-a-supported-one',
    title: 'To a version it does not support, the server answers with one that it does, or with the error -32602.',
    rows: ['R181'],
    level: 'MUST',
    spec: `${spec}#version-negotiation`,
    async check(context) {
      for (const version of unsupported) {
        const negotiated = await offeredInstead(context, version)
        expectThat(
          negotiated === undefined || !unsupported.includes(negotiated),
          `Expected another version in answer to ${version}, which is none, got ${negotiated}`,
        )
      }
    },
  }),
  requirement({
    id: 'lifecycle/unsupported-version-is-answered-with-the-latest',
    title: 'To a version it does not support, the server answers with the latest it supports.',
    rows: ['R182'],
    level: 'SHOULD',
    spec: `${spec}#version-negotiation`,
    async check(context) {
      const { target } = context
      const negotiated = await offeredInstead(context)
      if (negotiated === undefined) notTestable('the server answers an unsupported version with an error')
      const latest = target.versions.at(-1) ?? ''
      expectThat(negotiated >= latest, `Expected the latest version, ${latest} or later, got ${negotiated}`)
    },
  }),
  requirement({
    id: 'lifecycle/initialize-result-is-complete',
    title: 'The result of initialize has a protocolVersion, capabilities and a serverInfo with name and version.',
    rows: ['R183'],
    level: 'MUST',
    spec: `${spec}#initialization`,
    async check({ open }) {
      const { result } = (await judged(open())).initializeResponse
      const info = result?.serverInfo
      expectThat(typeof result?.protocolVersion === 'string', 'Expected a protocolVersion')
      expectThat(isObject(result?.capabilities), 'Expected capabilities')
      const named = isObject(info) && typeof info.name === 'string' && typeof info.version === 'string'
      expectThat(named, `Expected serverInfo with name and version, got ${JSON.stringify(info)}`)
    },
  }),
  requirement({
    id: 'lifecycle/no-server-requests-before-initialized',
    title: 'Before notifications/initialized the server sends no requests but pings.',
    rows: ['R184'],
    level: 'SHOULD',
    spec: `${spec}#initialization`,
    needs: ['get-stream'],
    async check({ open }) {
      const session = await open({ initialized: false })
      await session.get()
      await delay(200)
      const asked = session.received.filter(({ message }) => isRequest(message) && message.method !== 'ping')
      expectEqual(
        asked.map(({ message }) => message.method),
        [],
        'the requests before notifications/initialized',
      )
    },
  }),
  requirement({
    id: 'lifecycle/requests-before-initialized-are-answered',
    title: 'Before notifications/initialized a ping is answered, and another request is answered or refused.',
    rows: ['R185'],
    level: 'HARD',
    spec: `${spec}#initialization`,
    because:
      'The clause lets clients send pings so early and says only SHOULD NOT of the rest: what comes must not hang.',
    async check({ open }) {
      const session = await open({ initialized: false })
      await expectAlive(session)
      const message = request('tools/list')
      const exchange = await session.post(message)
      if (exchange.refused) return
      const answer = await responseIn(exchange, message.id)
      expectThat(answer.result !== undefined || answer.error !== undefined, 'Expected an answer before initialized')
    },
  }),
  requirement({
    id: 'lifecycle/only-negotiated-capabilities-are-used',
    title: 'A client that has declared no capabilities is asked nothing: a tool that would ask ends without.',
    rows: ['R186'],
    level: 'MUST',
    spec: `${spec}#operation`,
    async check({ open, target }) {
      const tools = ['ask', 'ask_sampling'].filter((role) => target.roles.has(role))
      if (tools.length === 0) notTestable('needs a tool that asks the user or the model (--tool ask=NAME)')
      const session = await open({ capabilities: {} })
      await session.ensureListening()
      for (const tool of tools) {
        const { exchange } = session.startPost(toolCall(tool))
        // An error says it best, and a text without one will do; nothing at all is for others to judge.
        const answer = exchange.then(async (begun) => await begun.stream.endsWithin(patienceMs))
        const isAsked = session.receive(({ message }) => isRequest(message), 'A request', 3_000)
        await Promise.race([answer, isAsked]).catch(() => undefined)
        const asked = session.received.filter(({ message }) => isRequest(message) && message.method !== 'ping')
        expectEqual(
          asked.map(({ message }) => message.method),
          [],
          'the requests to a client without capabilities',
        )
      }
    },
  }),
  requirement({
    id: 'lifecycle/unanswered-question-ends-the-call',
    title: 'A tool whose question nobody answers ends with an error in bounded time.',
    rows: ['R187'],
    level: 'SHOULD',
    spec: `${spec}#timeouts`,
    needs: ['sessions', 'sse', 'role:ask'],
    async check({ open, target }) {
      const session = await open()
      // Other tools than the fixture's own have no such argument: their limit may be short enough all the same.
      const asking = await beginAsk(session, target.roles.get('ask')?.tool === 'ask' ? { timeoutMs: 300 } : {})
      const answer = await (await asking.call()).response(4_000).catch(() => undefined)
      if (answer === undefined) notTestable('the question does not time out within 4 s')
      const failed = answer.error !== undefined || answer.result?.isError === true
      expectThat(failed, `Expected an error after nobody answered, got ${JSON.stringify(answer)}`)
    },
  }),
  requirement({
    id: 'lifecycle/initialize-is-not-batched',
    title: 'An initialize in a batch is refused.',
    rows: ['R188', 'R253'],
    level: 'dMUST',
    spec: '2025-03-26/basic/lifecycle#initialization',
    because:
      'The MUST NOT is on the client, as nothing else can be understood before initialize is done; later revisions have no batches at all.',
    async check({ post, target }) {
      const versions = target.versions.length === 0 ? revisions : target.versions
      for (const version of versions) {
        for (const batch of [
          [initialize(version), freshPing()],
          [initialize(version), initialize(version)],
          [request('tools/list'), initialize(version)],
        ]) {
          const exchange = await post(batch)
          const answer = exchange.status >= 400 ? undefined : (await exchange.messages()).find(isResponse)
          if (errorCode(answer) === -32600) continue
          expectHttpError(exchange, `a batch with an initialize of version ${version}`)
        }
      }
    },
  }),
]
