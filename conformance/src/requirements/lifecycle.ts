import { beginAsk } from '../client/asking.ts'
import { errorCode, expectEqual, expectRefused, expectThat, notTestable } from '../client/expect.ts'
import { initialize, isObject, isRequest, request } from '../client/json-rpc.ts'
import { expectAlive, freshPing } from '../client/probes.ts'
import { responseIn } from '../client/session.ts'
import { delay } from '../client/waiting.ts'
import { requirement, revisions } from '../requirement.ts'

const spec = '2025-11-25/basic/lifecycle'
const unsupported = ['1900-01-01', '2099-01-01', 'garbage']

/** L. Lifecycle over HTTP. */
export const lifecycleRequirements = [
  requirement({
    id: 'lifecycle/supported-version-is-echoed',
    rows: ['R180'],
    level: 'MUST',
    spec: `${spec}#version-negotiation`,
    async check({ open, target }) {
      expectThat(target.versions.length > 0, `Expected the server to speak one of ${revisions.join(', ')}`)
      for (const version of target.versions) {
        expectEqual((await open({ version })).version, version, 'the negotiated version')
      }
    },
  }),
  requirement({
    id: 'lifecycle/unsupported-version-is-answered-with-a-supported-one',
    rows: ['R181'],
    level: 'MUST',
    spec: `${spec}#version-negotiation`,
    async check({ post }) {
      for (const version of unsupported) {
        const message = initialize(version)
        const answer = await responseIn(await post(message), message.id)
        const negotiated = answer.result?.protocolVersion
        expectThat(
          typeof negotiated === 'string' && !unsupported.includes(negotiated),
          `Expected a supported version in answer to ${version}, got ${JSON.stringify(answer)}`,
        )
      }
    },
  }),
  requirement({
    id: 'lifecycle/unsupported-version-is-answered-with-the-latest',
    rows: ['R182'],
    level: 'SHOULD',
    spec: `${spec}#version-negotiation`,
    async check({ post, target }) {
      const message = initialize('1900-01-01')
      const answer = await responseIn(await post(message), message.id)
      const negotiated = String(answer.result?.protocolVersion)
      const latest = target.versions.at(-1) ?? ''
      expectThat(negotiated >= latest, `Expected the latest version, ${latest} or later, got ${negotiated}`)
    },
  }),
  requirement({
    id: 'lifecycle/initialize-result-is-complete',
    rows: ['R183'],
    level: 'MUST',
    spec: `${spec}#initialization`,
    async check({ open }) {
      const { result } = (await open()).initializeResponse
      const info = result?.serverInfo
      expectThat(typeof result?.protocolVersion === 'string', 'Expected a protocolVersion')
      expectThat(isObject(result?.capabilities), 'Expected capabilities')
      const named = isObject(info) && typeof info.name === 'string' && typeof info.version === 'string'
      expectThat(named, `Expected serverInfo with name and version, got ${JSON.stringify(info)}`)
    },
  }),
  requirement({
    id: 'lifecycle/no-server-requests-before-initialized',
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
    rows: ['R185'],
    level: 'HARD',
    spec: `${spec}#initialization`,
    async check({ open }) {
      const session = await open({ initialized: false })
      await expectAlive(session)
      const answer = await session.request('tools/list')
      expectThat(answer.result !== undefined || answer.error !== undefined, 'Expected an answer before initialized')
    },
  }),
  requirement({
    id: 'lifecycle/only-negotiated-capabilities-are-used',
    rows: ['R186'],
    level: 'MUST',
    spec: `${spec}#operation`,
    needs: ['role:ask', 'role:ask_sampling'],
    async check({ open }) {
      const session = await open({ capabilities: {} })
      await session.ensureListening()
      for (const tool of ['ask', 'ask_sampling']) {
        const call = await session.call(tool, { question: 'q' }, { headMs: 3_000 })
        const answer = await call.response(3_000).catch(() => undefined)
        const asked = session.received.filter(({ message }) => isRequest(message))
        expectEqual(
          asked.map(({ message }) => message.method),
          [],
          'the requests to a client without capabilities',
        )
        const failed = answer?.error !== undefined || answer?.result?.isError === true
        expectThat(failed, `Expected ${tool} to fail for a client without capabilities, got ${JSON.stringify(answer)}`)
      }
    },
  }),
  requirement({
    id: 'lifecycle/unanswered-question-ends-the-call',
    rows: ['R187'],
    level: 'SHOULD',
    spec: `${spec}#timeouts`,
    needs: ['sessions', 'sse', 'role:ask'],
    async check({ open }) {
      const session = await open()
      const asking = await beginAsk(session, { timeoutMs: 300 })
      const answer = await (await asking.call()).response(4_000).catch(() => undefined)
      if (answer === undefined) notTestable('the question does not time out within 4 s')
      const failed = answer.error !== undefined || answer.result?.isError === true
      expectThat(failed, `Expected an error after nobody answered, got ${JSON.stringify(answer)}`)
    },
  }),
  requirement({
    id: 'lifecycle/initialize-is-not-batched',
    rows: ['R188', 'R253'],
    level: 'MUST NOT',
    spec: '2025-03-26/basic/lifecycle#initialization',
    async check({ post, target }) {
      const versions = target.versions.length === 0 ? revisions : target.versions
      for (const version of versions) {
        for (const batch of [
          [initialize(version), freshPing()],
          [initialize(version), initialize(version)],
          [request('tools/list'), initialize(version)],
        ]) {
          const exchange = await post(batch)
          const [answer] = exchange.refused ? [] : await exchange.messages()
          if (errorCode(answer) === -32600) continue
          expectRefused(exchange, `a batch with an initialize of version ${version}`)
        }
      }
    },
  }),
]
