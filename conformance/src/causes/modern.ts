import type { Cause } from './cause.ts'

/** Of revision 2026-07-28. */
export const modernCauses: readonly Cause[] = [
  {
    name: 'Requests are not checked for what _meta must have',
    advice:
      'Answer 400 with the error -32602 to a request whose `params._meta` lacks `io.modelcontextprotocol/protocolVersion` or `…/clientCapabilities`; `…/clientInfo` may be absent.',
    explains: [
      'modern/missing-meta-is-refused',
      'modern/missing-version-in-meta-is-refused',
      'modern/missing-capabilities-are-refused',
      'modern/client-info-is-optional',
    ],
  },
  {
    name: 'The version of a request is not checked',
    advice:
      'Compare `MCP-Protocol-Version` with the version in `_meta`: answer 400 with -32020 when one is absent or they differ, and with -32022 and `data.supported` when you do not support it.',
    explains: [
      'modern/other-version-in-meta-is-refused',
      'modern/other-version-in-header-is-refused',
      'modern/unsupported-version-is-400',
      'modern/unsupported-version-error-names-versions',
      'modern-only/version-header-is-required',
      'modern-only/initialize-error-names-versions',
    ],
  },
  {
    name: 'Mcp-Method and Mcp-Name are not compared with the body',
    advice:
      'Answer 400 with -32020, before anything is run, to a request whose `Mcp-Method`, or whose `Mcp-Name` for tools/call, resources/read and prompts/get, is absent or not what the body says, letter by letter.',
    explains: [
      'modern/method-header-is-required',
      'modern/method-header-must-match',
      'modern/method-header-is-case-sensitive',
      'modern/tool-name-header-is-required',
      'modern/tool-name-header-must-match',
      'modern/resource-uri-header-must-match',
      'modern/prompt-name-header-must-match',
      'modern/mismatch-has-no-effect',
    ],
  },
  {
    name: 'Header values in Base64 are not decoded as they should be',
    advice:
      'Decode `=?base64?…?=` strictly before comparing: lower-case sentinel, valid Base64, valid UTF-8; else answer 400 with -32020.',
    explains: [
      'modern/encoded-name-is-decoded',
      'modern/invalid-base64-in-name-is-refused',
      'modern/invalid-utf8-in-name-is-refused',
      'modern/sentinel-is-case-sensitive',
      'modern/encoded-param-is-decoded',
      'modern/invalid-base64-in-param-is-refused',
    ],
  },
  {
    name: 'Header values are taken that are no ASCII',
    advice:
      'Answer 400 with -32020 when `Mcp-Method`, `Mcp-Name` or a known `Mcp-Param-…` has a byte beyond visible ASCII, space and tab: what is more is sent in Base64.',
    explains: ['modern/name-beyond-ascii-is-refused', 'modern/param-beyond-ascii-is-refused'],
  },
  {
    name: 'Mcp-Param headers are not compared with the arguments',
    advice:
      'For each argument with `x-mcp-header` that has a value, answer 400 with -32020 when its `Mcp-Param-…` is absent or another value: numbers by value, `true` and `false` in lower case; expect none for null and absent arguments.',
    explains: [
      'modern/matching-param-header-is-accepted',
      'modern/param-header-must-match',
      'modern/param-header-is-required',
      'modern/param-header-of-no-value-is-not-expected',
      'modern/integer-param-must-match',
      'modern/integer-param-is-compared-as-a-number',
      'modern/boolean-param-is-lower-case',
    ],
  },
  {
    name: 'Tools have an x-mcp-header that clients refuse',
    advice:
      'Give `x-mcp-header` a header name without spaces, once in a tool, only on parameters of the type string, integer or boolean, and not below `items`, `oneOf` and the like: clients leave out any other tool.',
    explains: ['modern/header-annotations-are-valid'],
  },
  {
    name: 'Missing client capabilities are not told',
    advice:
      'Answer 400 with the error -32021 and `data.requiredCapabilities` to a request that needs a capability its own `_meta` does not declare.',
    explains: ['modern/missing-capability-is-400', 'modern/missing-capability-is-named'],
  },
  {
    name: 'Something is remembered from one request to the next',
    advice:
      'Read version, capabilities, log level and client from the `_meta` of each request alone, and keep nothing by connection or by request id.',
    explains: [
      'modern/connection-carries-no-capabilities',
      'modern/connection-carries-no-version',
      'modern/connection-carries-no-log-level',
      'modern/equal-ids-do-not-interfere',
    ],
  },
  {
    name: 'Log messages come unasked',
    advice:
      'Send log messages only to requests with `io.modelcontextprotocol/logLevel` in `_meta`, from that level on.',
    explains: ['modern/no-logs-without-a-level', 'modern/logs-are-at-or-above-the-level'],
  },
  {
    name: 'Methods that are not there are not answered 404',
    advice:
      'Answer 404 with the error -32601 to methods that you do not have, `ping` and other methods of earlier revisions among them.',
    explains: ['modern/unknown-method-is-404', 'modern/removed-methods-are-404'],
  },
  {
    name: 'Errors have the wrong id or code',
    advice:
      'Copy the `id` of the request into its error, and use only codes that the revision defines: -32002 and -32042 are gone.',
    explains: [
      'modern/errors-carry-the-id',
      'modern/error-codes-are-defined',
      'modern/legacy-error-codes-are-not-used',
    ],
  },
  {
    name: 'Results lack what every result has',
    advice:
      'Give every result a `resultType`, those that can be cached `ttlMs` and `cacheScope`, and that of server/discover `supportedVersions` and `capabilities`.',
    explains: [
      'modern/results-have-a-type',
      'modern/cacheable-results-have-hints',
      'modern/discover-tells-versions-and-capabilities',
    ],
  },
  {
    name: 'Streams carry what does not belong on them',
    advice:
      'Send on the stream of a request only notifications about that request, then its response, and no requests of the server.',
    explains: [
      'modern/no-requests-on-streams',
      'modern/streams-carry-only-their-own-messages',
      'modern/response-ends-the-stream',
      'modern/events-have-no-ids',
    ],
  },
  {
    name: 'A client that leaves does not cancel its request',
    advice:
      'Abort the handler when the connection of its request closes before the response: in 2026-07-28 that is how clients cancel.',
    explains: ['modern/closing-the-stream-cancels', 'modern/disconnect-before-the-answer-cancels'],
  },
  {
    name: 'Subscriptions are not kept apart',
    advice:
      'Keep each subscriptions/listen by its own connection and request, and end it only with that: other requests, and other subscriptions, leave it alone.',
    explains: [
      'modern/finished-call-leaves-listeners-alone',
      'listen/streams-are-told-apart',
      'listen/carries-nothing-of-other-requests',
    ],
  },
  {
    name: 'Subscriptions bring something else than was asked for',
    advice:
      'Answer subscriptions/listen with an event stream that begins with the acknowledgement, then sends only the types and resources that were asked for, each with the `id` of the request as its `subscriptionId`.',
    explains: ['listen/'],
  },
  {
    name: 'Sessions of earlier revisions get in the way',
    advice:
      'Decide by `_meta` and `MCP-Protocol-Version` which revision a request is of: with 2026-07-28 ignore `Mcp-Session-Id` and `Last-Event-ID` and give out none, and serve clients that initialize beside it.',
    explains: [
      'modern/both-eras-are-served',
      'modern/legacy-session-id-changes-nothing',
      'modern/session-id-is-ignored',
      'modern/no-session-id-is-given',
      'modern/last-event-id-is-ignored',
    ],
  },
]
