import type { CheckContext } from '../client/context.ts'
import { expectEqual, expectStatus, expectThat, notTestable } from '../client/expect.ts'
import { initialize, isObject, type Message } from '../client/json-rpc.ts'
import {
  describeAnswer,
  expectHeaderMismatch,
  expectModernError,
  type ModernAnswer,
  metaKeys,
  modernCall,
  modernCodes,
  modernPost,
  modernRequest,
} from '../client/modern.ts'
import { postHeaders, responseIn } from '../client/session.ts'
import { modernRevision, requirement } from '../requirement.ts'

const transport = '2026-07-28/basic/transports/streamable-http'
const versionHeader = `${transport}#protocol-version-header`
const meta = '2026-07-28/basic#meta'
const unknownVersion = '2099-01-01'
const malformed = { status: 400, code: -32602 }

/** A version that is missing in the body, while the header names one, is a mismatch of the two as well. */
function expectMalformed(answer: ModernAnswer, what: string): void {
  const isMismatch = answer.response.error?.code === modernCodes.headerMismatch
  expectModernError(answer, isMismatch ? { status: 400, code: modernCodes.headerMismatch } : malformed, what)
}

async function asUnknownVersion(context: CheckContext): Promise<ModernAnswer> {
  const headers = { 'MCP-Protocol-Version': unknownVersion }
  return await modernCall(context, 'server/discover', {}, { headers, meta: { [metaKeys.version]: unknownVersion } })
}

async function withoutMeta(context: CheckContext, key: string): Promise<ModernAnswer> {
  return await modernCall(context, 'server/discover', {}, { meta: { [key]: undefined } })
}

/** T. Version header and `_meta` of revision 2026-07-28. */
export const modernVersionRequirements = [
  requirement({
    id: 'modern/other-version-in-meta-is-refused',
    title: 'A request whose _meta names another version than its header is refused with 400 and error -32020.',
    rows: ['R266'],
    level: 'MUST',
    spec: versionHeader,
    era: 'modern',
    async check(context) {
      for (const version of ['2025-11-25', unknownVersion]) {
        const answer = await modernCall(context, 'server/discover', {}, { meta: { [metaKeys.version]: version } })
        expectHeaderMismatch(answer, `a request of header ${modernRevision} and _meta ${version}`)
      }
    },
  }),
  requirement({
    id: 'modern/other-version-in-header-is-refused',
    title: 'A request whose header names an earlier version than its _meta is refused with 400 and error -32020.',
    rows: ['R266', 'R295'],
    level: 'MUST',
    spec: versionHeader,
    era: 'modern',
    async check(context) {
      const headers = { 'MCP-Protocol-Version': '2025-11-25' }
      const answer = await modernCall(context, 'server/discover', {}, { headers })
      expectHeaderMismatch(answer, `a request of header 2025-11-25 and _meta ${modernRevision}`)
    },
  }),
  requirement({
    id: 'modern/unsupported-version-is-400',
    title: 'A request of a version that the server does not have is refused with 400 and error -32022.',
    rows: ['R267'],
    level: 'MUST',
    spec: versionHeader,
    era: 'modern',
    async check(context) {
      const expected = { status: 400, code: modernCodes.unsupportedVersion }
      expectModernError(await asUnknownVersion(context), expected, `a request of version ${unknownVersion}`)
    },
  }),
  requirement({
    id: 'modern/unsupported-version-error-names-versions',
    title: 'The error for an unsupported version says which were supported, and which was asked for.',
    rows: ['R267'],
    level: 'MUST',
    spec: '2026-07-28/basic/versioning#protocol-version-negotiation',
    era: 'modern',
    async check(context) {
      const { response } = await asUnknownVersion(context)
      // Another code is for the requirement about it.
      if (response.error?.code !== modernCodes.unsupportedVersion) return
      const data = isObject(response.error.data) ? response.error.data : {}
      expectThat(
        Array.isArray(data.supported) && data.supported.includes(modernRevision),
        `Expected data.supported to have ${modernRevision}, got ${JSON.stringify(response.error)}`,
      )
      expectEqual(data.requested, unknownVersion, 'data.requested')
    },
  }),
  requirement({
    id: 'modern/missing-meta-is-refused',
    title: 'A request without _meta is refused with 400 and error -32602, or -32020 as its header says more.',
    rows: ['R268'],
    level: 'MUST',
    spec: meta,
    era: 'modern',
    async check(context) {
      const request: Message = { ...modernRequest('server/discover'), params: {} }
      const exchange = await modernPost(context, request)
      const answer = { request, exchange, response: await responseIn(exchange, request.id) }
      expectMalformed(answer, 'a request without _meta')
    },
  }),
  requirement({
    id: 'modern/missing-version-in-meta-is-refused',
    title:
      'A request without a protocolVersion in _meta is refused with 400 and error -32602, or -32020 as its header has one.',
    rows: ['R268'],
    level: 'MUST',
    spec: meta,
    era: 'modern',
    async check(context) {
      const answer = await withoutMeta(context, metaKeys.version)
      expectMalformed(answer, 'a request without protocolVersion')
    },
  }),
  requirement({
    id: 'modern/missing-capabilities-are-refused',
    title: 'A request without clientCapabilities in _meta is refused with 400 and error -32602.',
    rows: ['R268'],
    level: 'MUST',
    spec: meta,
    era: 'modern',
    async check(context) {
      const answer = await withoutMeta(context, metaKeys.capabilities)
      expectModernError(answer, malformed, 'a request without clientCapabilities')
    },
  }),
  requirement({
    id: 'modern-only/version-header-is-required',
    title: 'A request without MCP-Protocol-Version is refused with 400 and error -32020.',
    rows: ['R265'],
    level: 'MUST',
    spec: versionHeader,
    era: 'modern',
    async check(context) {
      if (context.target.versions.includes('2025-03-26')) {
        notTestable('a server that supports 2025-03-26 may take a request without the header to be of that version')
      }
      const answer = await modernCall(
        context,
        'server/discover',
        {},
        { headers: { 'MCP-Protocol-Version': undefined } },
      )
      expectHeaderMismatch(answer, 'a request without MCP-Protocol-Version')
    },
  }),
  requirement({
    id: 'modern-only/get-and-delete-are-405',
    title: 'A server of 2026-07-28 alone refuses GET and DELETE with 405.',
    rows: ['R261', 'R262'],
    level: 'SHOULD',
    spec: `${transport}#earlier-streamable-http-revisions`,
    era: 'modern',
    async check(context) {
      expectModernOnly(context)
      for (const method of ['GET', 'DELETE']) {
        expectStatus(await context.request(method, getHeaders), 405, method)
      }
    },
  }),
  requirement({
    id: 'modern-only/405-lists-post',
    title: 'The 405 of a server of 2026-07-28 alone has an Allow with POST in it, and without the refused method.',
    rows: ['R261', 'R003'],
    level: 'RFC-MUST',
    spec: 'RFC 9110 §15.5.6',
    era: 'modern',
    async check(context) {
      expectModernOnly(context)
      for (const method of ['GET', 'DELETE']) {
        const exchange = await context.request(method, getHeaders)
        if (exchange.status !== 405) continue
        const allowed = (exchange.header('allow') ?? '').split(',').map((name) => name.trim())
        const isRight = allowed.includes('POST') && !allowed.includes(method)
        expectThat(isRight, `Expected Allow of the 405 to ${method} to have POST, got "${allowed.join(', ')}"`)
      }
    },
  }),
  requirement({
    id: 'modern-only/initialize-error-names-versions',
    title: 'The error with which a server of 2026-07-28 alone answers initialize names the versions it supports.',
    rows: ['R294'],
    level: 'SHOULD',
    spec: '2026-07-28/basic/versioning#backward-compatibility-with-initialization-based-versions',
    era: 'modern',
    async check(context) {
      expectModernOnly(context)
      const message = initialize('2025-11-25')
      const exchange = await context.client.send('POST', { body: message, headers: postHeaders() })
      const response = await responseIn(exchange, message.id)
      const text = JSON.stringify(response.error ?? {})
      expectThat(
        text.includes(modernRevision),
        `Expected the error to initialize to name ${modernRevision}, got ${describeAnswer({ exchange, response })}`,
      )
    },
  }),
]

const getHeaders = { headers: { Accept: 'text/event-stream', 'MCP-Protocol-Version': modernRevision } }

function expectModernOnly({ target }: CheckContext): void {
  if (target.offers.has('legacy')) notTestable('the server speaks earlier revisions too')
}
