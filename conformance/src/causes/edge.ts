import type { Cause } from './cause.ts'

/** Of requests as such: where they come from, what their head and body say. */
export const edgeCauses: readonly Cause[] = [
  {
    name: 'The Origin header is not checked',
    advice:
      'Answer 403 to every request, of any method, whose `Origin` is not on a list of your own, before its body is read; requests without an `Origin` may pass.',
    shownBy: {
      ids: [
        'origin/foreign-origin-cannot-initialize',
        '2025-03-26/foreign-origin-is-refused',
        'modern/foreign-origin-is-403',
      ],
      message: /got (status )?2\d\d\b/,
    },
    explains: [
      'origin/foreign-origin-cannot-initialize',
      'origin/foreign-origin-cannot-post',
      'origin/foreign-origin-cannot-listen',
      'origin/foreign-origin-cannot-delete',
      'origin/refusal-is-403',
      'origin/null-is-refused',
      'origin/look-alikes-are-refused',
      'origin/unparseable-is-refused',
      'origin/is-checked-before-the-body-is-parsed',
      'origin/is-checked-before-the-body-is-read',
      'origin/refusal-changes-nothing',
      'origin/cross-site-fetch-is-refused',
      '2025-03-26/foreign-origin-is-refused',
      'modern/foreign-origin-is-403',
      'modern/null-and-look-alike-origins-are-403',
      'auth/foreign-origin-is-refused-despite-a-token',
    ],
  },
  {
    name: 'Origins are compared too loosely',
    advice:
      'Compare the whole `Origin` with a list of exact values, scheme and port included, and refuse `null` and whatever is no URL.',
    explains: [
      'origin/null-is-refused',
      'origin/look-alikes-are-refused',
      'origin/unparseable-is-refused',
      'modern/null-and-look-alike-origins-are-403',
    ],
  },
  {
    name: 'The Origin is checked on some requests only',
    advice: 'Check the `Origin` in one place that every method and every kind of message passes, before anything else.',
    explains: [
      'origin/foreign-origin-cannot-initialize',
      'origin/foreign-origin-cannot-post',
      'origin/foreign-origin-cannot-listen',
      'origin/foreign-origin-cannot-delete',
      'origin/cross-site-fetch-is-refused',
      '2025-03-26/foreign-origin-is-refused',
      'modern/foreign-origin-is-403',
      'auth/foreign-origin-is-refused-despite-a-token',
    ],
  },
  {
    name: 'The Origin is checked too late',
    advice: 'Check the `Origin` by the head of the request alone, before the body is read and parsed.',
    explains: [
      'origin/is-checked-before-the-body-is-parsed',
      'origin/is-checked-before-the-body-is-read',
      'origin/refusal-changes-nothing',
    ],
  },
  {
    name: 'A foreign Origin is refused with another status than 403',
    advice: 'Answer 403 to an `Origin` that is not allowed.',
    explains: ['origin/refusal-is-403'],
  },
  {
    name: 'CORS headers are given to pages that are refused',
    advice:
      'Let the CORS middleware echo only origins of your list: not `*`, not whatever comes, and nothing on refusals.',
    explains: ['origin/foreign-origin-gets-no-cors-headers'],
  },
  {
    name: 'The Host header is not checked',
    advice:
      'On a loopback address, answer 403 to a `Host` that is no loopback name and not on a list of your own (in SDKs: `allowedHosts`): else a rebound DNS name lets any page in.',
    explains: [
      'origin/foreign-host-cannot-post',
      'origin/foreign-host-cannot-get-or-delete',
      'origin/look-alike-hosts-are-refused',
    ],
  },
  {
    name: 'The server refuses its own pages or names',
    advice: 'Allow the Origin of the endpoint itself, and `localhost`, `127.0.0.1` and `[::1]` in any case as Host.',
    explains: ['origin/own-origin-is-accepted', 'origin/loopback-hosts-are-accepted'],
  },
  {
    name: 'The server listens on every network interface',
    advice: "Listen on `127.0.0.1`, as in `listen(port, '127.0.0.1')`, as long as only this machine is to reach it.",
    explains: ['origin/loopback-server-listens-on-loopback'],
  },
  {
    name: 'The Accept header is not parsed',
    advice:
      'Read `Accept` as a list of media types over all its lines: any order, any case, parameters and weights apart, `q=0` excluded.',
    explains: [
      'post/accept-of-both-types-in-any-order',
      'post/accept-is-case-insensitive',
      'post/accept-weights-and-parameters-are-parsed',
      'post/accept-may-span-lines',
      'post/accept-weight-zero-excludes',
      'post/accept-look-alikes-do-not-count',
    ],
  },
  {
    name: 'The answer has a type that the client did not list',
    advice: 'Choose between JSON and an event stream by `Accept`, and answer 406 when it lists neither.',
    explains: ['post/unlisted-type-is-never-sent', 'post/unacceptable-is-406'],
  },
  {
    name: 'The Content-Type header is not parsed',
    advice:
      'Take the type before the first `;` in any case, serve `application/json` in UTF-8 and answer 415 to all else.',
    explains: [
      'post/content-type-may-have-parameters',
      'post/content-type-is-case-insensitive',
      'post/other-content-type-is-refused',
      'post/content-type-parameter-is-no-type',
      'post/other-charset-is-refused',
    ],
  },
  {
    name: 'Header names are compared as they were written',
    advice: 'Look headers up in lower case: clients and proxies write their names in any.',
    explains: ['endpoint/header-names-are-case-insensitive', 'modern/header-names-are-case-insensitive'],
  },
  {
    name: 'Bodies are not decoded strictly',
    advice:
      "Decode the body as UTF-8 with errors (`new TextDecoder('utf-8', { fatal: true })`), and answer 400 to them.",
    explains: ['post/invalid-utf8-is-400'],
  },
  {
    name: 'What cannot be parsed is not answered 400',
    advice: 'Answer 400 with the JSON-RPC error -32700 as `application/json` when the body is empty or is no JSON.',
    explains: ['post/malformed-json-is-400', 'post/malformed-json-is-a-parse-error'],
  },
  {
    name: 'What is no JSON-RPC message is taken for one',
    advice:
      'Validate each message before anything is done with it, and answer 400 with the error -32600: `jsonrpc` is "2.0", `method` a text, `id` a text or a whole number.',
    explains: [
      'post/non-object-body-is-400',
      'post/jsonrpc-version-is-checked',
      'post/body-must-be-a-message',
      'post/keys-are-case-sensitive',
      'answer/null-id-is-refused',
      'answer/other-ids-are-refused',
      'notification/unacceptable-is-an-http-error',
    ],
  },
  {
    name: 'Batches are taken where there are none',
    advice:
      'Answer 400 to a JSON array; in sessions of 2025-03-26 take it, unless it is empty or has an initialize in it.',
    explains: [
      'post/batch-is-refused',
      'post/empty-batch-is-400',
      'lifecycle/initialize-is-not-batched',
      '2025-06-18/batch-is-refused',
      'modern/batch-is-refused',
    ],
  },
  {
    name: 'Batches of revision 2025-03-26 are not served',
    advice:
      'In sessions of 2025-03-26 answer each request of a batch, errors included, before the stream ends, and 202 when there is none in it; or do not offer that revision.',
    explains: ['2025-03-26/'],
  },
  {
    name: 'Methods that are not served get no proper 405',
    advice:
      'Answer every method but POST, GET and DELETE with 405 and a header such as `Allow: POST, GET, DELETE`; GET and DELETE too where they are not offered.',
    explains: [
      'endpoint/405-lists-allowed-methods',
      'endpoint/unsupported-methods-are-405',
      'endpoint/get-is-event-stream-or-405',
      'modern-only/405-lists-post',
      'modern-only/get-and-delete-are-405',
    ],
  },
  {
    name: 'Notifications and responses are answered',
    advice: 'Answer a notification or response that is accepted with 202 and an empty body, and nothing else.',
    explains: [
      'notification/',
      'response/accepted-is-202-empty',
      'response/accepted-error-is-202-empty',
      'response/unknown-id-is-not-answered',
      'cancel/is-202-empty',
      'cancel/of-nothing-is-ignored',
      'modern/notification-is-202-or-refused',
    ],
  },
  {
    name: 'Responses from a client of 2026-07-28 are taken',
    advice: 'Answer 400 to a JSON-RPC response in 2026-07-28: the server asks nothing there that it could answer.',
    explains: ['modern/response-is-refused'],
  },
  {
    name: 'Large bodies are not refused as too large',
    advice: 'Count bytes while the body comes, and answer 413 as soon as there are more than you take.',
    explains: ['limits/declared-large-body-is-413', 'limits/chunked-large-body-is-413'],
  },
]
