import { expectEqual, expectRefused, expectStatus, expectThat, fail } from '../client/expect.ts'
import { isObject, notification, resultFor } from '../client/json-rpc.ts'
import {
  describeAnswer,
  discover,
  expectModernError,
  expectServed,
  metaKeys,
  modernCall,
  modernMeta,
  modernPost,
  modernRequest,
  modernRole,
  modernSend,
  modernTool,
} from '../client/modern.ts'
import { openListen } from '../client/modern-listen.ts'
import { modernRevision, requirement } from '../requirement.ts'

const transport = '2026-07-28/basic/transports/streamable-http'
const earlier = `${transport}#earlier-streamable-http-revisions`

/** Up to 2025-11-25 these were methods. */
const removedMethods = ['ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe']

/** T. The endpoint of revision 2026-07-28. */
export const modernEndpointRequirements = [
  requirement({
    id: 'modern/discover-tells-versions-and-capabilities',
    title: 'The result of server/discover has the supported versions and the capabilities.',
    rows: ['R261', 'R298'],
    level: 'MUST',
    spec: '2026-07-28/server/discover#discoverresult',
    era: 'modern',
    async check(context) {
      const { supportedVersions, capabilities } = await discover(context)
      const versions: unknown[] = Array.isArray(supportedVersions) ? supportedVersions : []
      expectThat(
        versions.includes(modernRevision) && versions.every((version) => typeof version === 'string'),
        `Expected supportedVersions to be strings, ${modernRevision} among them, got ${JSON.stringify(supportedVersions)}`,
      )
      expectThat(
        isObject(capabilities),
        `Expected capabilities to be an object, got ${JSON.stringify(capabilities ?? null)}`,
      )
    },
  }),
  requirement({
    id: 'modern/session-id-is-ignored',
    title: 'An Mcp-Session-Id on a request of 2026-07-28 changes nothing.',
    rows: ['R262', 'R295'],
    level: 'SHOULD',
    spec: earlier,
    era: 'modern',
    async check(context) {
      const headers = { 'Mcp-Session-Id': 'never-issued' }
      expectServed(await modernCall(context, 'server/discover', {}, { headers }), 'a request with an Mcp-Session-Id')
    },
  }),
  requirement({
    id: 'modern/no-session-id-is-given',
    title: 'An answer to a request of 2026-07-28 has no Mcp-Session-Id.',
    rows: ['R262'],
    level: 'SHOULD',
    spec: earlier,
    era: 'modern',
    async check(context) {
      for (const headers of [{}, { 'Mcp-Session-Id': 'never-issued' }]) {
        const { exchange } = await modernSend(context, 'server/discover', {}, { headers })
        const given = exchange.header('mcp-session-id')
        expectThat(given === undefined, `Expected an answer without Mcp-Session-Id, got "${given}"`)
      }
    },
  }),
  requirement({
    id: 'modern/last-event-id-is-ignored',
    title: 'A Last-Event-ID on a request of 2026-07-28 changes nothing.',
    rows: ['R263'],
    level: 'SHOULD',
    spec: earlier,
    era: 'modern',
    async check(context) {
      const headers = { 'Last-Event-ID': 'never-sent-1' }
      expectServed(await modernCall(context, 'server/discover', {}, { headers }), 'a request with a Last-Event-ID')
    },
  }),
  requirement({
    id: 'modern/events-have-no-ids',
    title: 'Events on streams of 2026-07-28 have no ids.',
    rows: ['R263'],
    level: 'SHOULD',
    spec: earlier,
    because: 'Streams are not resumable: an id promises the client what the server cannot keep.',
    era: 'modern',
    async check(context) {
      const { exchange } = await openListen(context)
      await exchange.stream.atLeast(1)
      const id = exchange.stream.lastEventId
      expectThat(id === undefined, `Expected events without an id, got "${id}"`)
    },
  }),
  requirement({
    id: 'modern/batch-is-refused',
    title: 'A JSON array of requests is refused with a 4xx status.',
    rows: ['R264'],
    level: 'dMUST',
    spec: `${transport}#sending-messages`,
    because: 'The body is a single request or notification; the headers can mirror only one message.',
    era: 'modern',
    async check({ client }) {
      const body = [modernRequest('server/discover'), modernRequest('server/discover')]
      const headers = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' }
      const mirrored = { 'MCP-Protocol-Version': modernRevision, 'Mcp-Method': 'server/discover' }
      expectRefused(await client.send('POST', { body, headers: { ...headers, ...mirrored } }), 'a batch')
    },
  }),
  requirement({
    id: 'modern/response-is-refused',
    title: 'A JSON-RPC response from the client is refused with a 4xx status.',
    rows: ['R264'],
    level: 'dMUST',
    spec: `${transport}#sending-messages`,
    because: 'Clients must not send responses, and no request of the server can be open: it never asks.',
    era: 'modern',
    async check(context) {
      expectRefused(await modernPost(context, resultFor('never-asked', {})), 'a response from the client')
    },
  }),
  requirement({
    id: 'modern/notification-is-202-or-refused',
    title: 'A notification is answered with 202 and no body, or refused with a 4xx status.',
    rows: ['R264'],
    level: 'MUST',
    spec: `${transport}#sending-messages`,
    era: 'modern',
    async check(context) {
      const params = { requestId: 'never-sent', _meta: modernMeta() }
      const exchange = await modernPost(context, notification('notifications/cancelled', params))
      if (exchange.refused) return
      expectStatus(exchange, 202, 'a notification')
      expectEqual((await exchange.bytes()).length, 0, 'the length of the body of 202')
    },
  }),
  requirement({
    id: 'modern/client-info-is-optional',
    title: 'A request without clientInfo is served.',
    rows: ['R269'],
    level: 'MUST',
    spec: '2026-07-28/basic#meta',
    because: 'clientInfo is not required, so a request without it is well formed.',
    era: 'modern',
    async check(context) {
      const meta = { [metaKeys.client]: undefined }
      expectServed(await modernCall(context, 'server/discover', {}, { meta }), 'a request without clientInfo')
    },
  }),
  requirement({
    id: 'modern/unknown-method-is-404',
    title: 'A method that the server does not have is refused with 404 and error -32601.',
    rows: ['R270'],
    level: 'MUST',
    spec: `${transport}#protocol-version-header`,
    era: 'modern',
    async check(context) {
      const answer = await modernCall(context, 'throughline/no-such-method')
      expectModernError(answer, { status: 404, code: -32601 }, 'an unknown method')
    },
  }),
  requirement({
    id: 'modern/removed-methods-are-404',
    title: 'Methods of earlier revisions that are gone are refused with 404 and error -32601.',
    rows: ['R270'],
    level: 'MUST',
    spec: `${transport}#protocol-version-header`,
    because: 'Revision 2026-07-28 has no such methods, whatever the server offers to clients of earlier ones.',
    era: 'modern',
    async check(context) {
      for (const method of removedMethods) {
        const params = method.startsWith('resources/') ? { uri: 'throughline://none' } : { level: 'info' }
        const answer = await modernCall(context, method, method === 'ping' ? {} : params)
        expectModernError(answer, { status: 404, code: -32601 }, `${method} of 2026-07-28`)
      }
    },
  }),
  requirement({
    id: 'modern/errors-carry-the-id',
    title: 'An error has the id of its request, in value and type.',
    rows: ['R270'],
    level: 'MUST',
    spec: '2026-07-28/basic#error-responses',
    era: 'modern',
    async check(context) {
      for (const id of [71, '71']) {
        const answers = [
          await modernCall(context, 'throughline/no-such-method', {}, { id }),
          await modernCall(context, 'server/discover', {}, { id, headers: { 'Mcp-Method': 'tools/list' } }),
          await modernCall(context, 'server/discover', {}, { id, meta: { [metaKeys.capabilities]: undefined } }),
        ]
        for (const { response } of answers) {
          if (response.error !== undefined) expectEqual(response.id, id, 'the id of an error')
        }
      }
    },
  }),
  requirement({
    id: 'modern/equal-ids-do-not-interfere',
    title: 'Requests of several clients with one id at the same time are answered each on its own.',
    rows: ['R299'],
    level: 'dMUST',
    spec: '2026-07-28/basic#requests',
    because: 'Ids are unique only among the requests of one sender, and the server cannot know who that is.',
    era: 'modern',
    async check(context) {
      const canEcho = context.target.roles.has('echo')
      if (canEcho) await modernRole(context, 'echo')
      const ask = async (text: string) => {
        const { response } = canEcho
          ? await modernTool(context, 'echo', { text }, { id: 1 })
          : await modernCall(context, 'server/discover', {}, { id: 1 })
        return { text, response }
      }
      const unknown = modernCall(context, 'throughline/no-such-method', {}, { id: 1 })
      const answers = await Promise.all(Array.from({ length: 16 }, (_, index) => ask(`client ${index}.`)))
      for (const { text, response } of answers) {
        const got = JSON.stringify(response)
        if (response.result === undefined) fail(`Expected the result of ${text}, got ${got}`)
        if (canEcho) expectThat(got.includes(text), `Expected "${text}" in the answer to its own request, got ${got}`)
      }
      const { response } = await unknown
      expectThat(response.error !== undefined, `Expected an error, got ${describeAnswer(await unknown)}`)
    },
  }),
  requirement({
    id: 'modern/streams-forbid-proxy-buffering',
    title: 'An event stream has the header X-Accel-Buffering: no.',
    rows: ['R282'],
    level: 'SHOULD',
    spec: `${transport}#receiving-messages`,
    era: 'modern',
    async check(context) {
      const { exchange } = await openListen(context)
      expectEqual(exchange.header('x-accel-buffering')?.toLowerCase(), 'no', 'X-Accel-Buffering of an event stream')
    },
  }),
]
