import type { Cause } from './cause.ts'

/** What the message shows, whatever the check was about. */
const everything = ['']

/** Of sessions: how they open, who may use them, how they end. */
export const sessionCauses: readonly Cause[] = [
  {
    name: 'The server stops working',
    advice:
      'Look into its log for the request that is shown: an error while one request is served must not end the process, nor keep others waiting.',
    message: /^after this check the server no longer works/,
    explains: everything,
  },
  {
    name: 'One server object serves all clients',
    advice: 'Make a new server object and a new transport for each session, inside the handler of `initialize`.',
    message: /already initialized|already connected|a second client/i,
    explains: everything,
  },
  {
    name: 'The body is read twice',
    advice:
      'Hand the parsed body to the transport, as in `transport.handleRequest(req, res, req.body)`, or mount the endpoint without a body parser.',
    message: /body parser|stream is not readable|body (has )?already (been )?(read|used|consumed)/i,
    explains: everything,
  },
  {
    name: 'No session can be initialized properly',
    advice:
      'Answer `initialize` with status 200 and a result that has `protocolVersion`, `capabilities` and `serverInfo` with name and version.',
    explains: ['lifecycle/initialize-is-answered', 'lifecycle/initialize-result-is-complete'],
  },
  {
    name: 'Later clients are not served like the first',
    advice: 'Keep everything that belongs to a client by its session, and open a new session for each `initialize`.',
    explains: ['lifecycle/every-client-is-served'],
  },
  {
    name: 'The protocol version is not negotiated',
    advice:
      'Answer `initialize` with the version that the client asks for if you support it, else with the latest that you do: never with an error, never with one that you do not speak.',
    explains: [
      'lifecycle/supported-version-is-echoed',
      'lifecycle/unsupported-version-is-answered-with-a-supported-one',
      'lifecycle/unsupported-version-is-answered-with-the-latest',
    ],
  },
  {
    name: 'The MCP-Protocol-Version header is not checked',
    advice:
      'Answer 400 to every request after `initialize` whose `MCP-Protocol-Version` is not one you support, of any method; take its absence for the version of the session.',
    explains: [
      'version/invalid-is-400-on-request',
      'version/invalid-is-400-on-notification-and-response',
      'version/invalid-is-400-on-get',
      'version/invalid-is-400-on-delete',
      'version/header-is-one-version',
      '2025-06-18/invalid-version-is-400',
    ],
  },
  {
    name: 'Requests with a usable version header are refused',
    advice:
      'Refuse a request for its `MCP-Protocol-Version` only when it names one that you do not support: not when it is absent, and not when it is another one that you support.',
    explains: [
      'habits/version-header-may-be-absent-throughout',
      'version/',
      'stateless/absent-version-means-2025-03-26',
    ],
  },
  {
    name: 'GET is refused for the version of its own session',
    advice: 'Take with GET every `MCP-Protocol-Version` that you negotiate, as with POST.',
    message: /without MCP-Protocol-Version\)/,
    explains: ['endpoint/get-is-event-stream-or-405'],
  },
  {
    name: 'The client is asked for what it has not offered',
    advice:
      'Send a client only requests for capabilities that it declared, and none before `notifications/initialized`.',
    explains: ['lifecycle/only-negotiated-capabilities-are-used', 'lifecycle/no-server-requests-before-initialized'],
  },
  {
    name: 'A question that nobody answers is taken for answered',
    advice: 'Let a call fail when its question to the client gets no answer in time.',
    explains: ['lifecycle/unanswered-question-ends-the-call'],
  },
  {
    name: 'Unknown and ended sessions are not answered 404',
    advice:
      'Answer 404 to every request, notification, GET and DELETE whose `Mcp-Session-Id` is not that of a live session: clients open a new one on that, and only on that.',
    explains: [
      'session/unknown-id-is-404',
      'session/unknown-id-is-404-on-get-and-delete',
      'session/ended-is-404-on-request',
      'session/ended-is-404-on-everything-else',
      'resume/ended-session-is-404',
    ],
  },
  {
    name: 'A missing session id is not answered 400',
    advice: 'Answer 400 to a request without `Mcp-Session-Id` that is no initialize; 404 is for ids you do not know.',
    explains: [
      'session/missing-id-on-request-is-400',
      'session/missing-id-on-get-is-400',
      'session/missing-id-on-delete-is-400',
      'session/missing-id-on-notification-is-400',
      'resume/needs-the-session-id',
    ],
  },
  {
    name: 'Session ids can be guessed or cannot be sent',
    advice:
      'Make session ids from at least 128 bits of a cryptographic random source, written in hex or base64url: `crypto.randomUUID()` does.',
    explains: ['session/id-is-visible-ascii', 'session/ids-are-unpredictable'],
  },
  {
    name: 'The client chooses its session id',
    advice: 'Make the id yourself for each `initialize`, whatever `Mcp-Session-Id` came with it.',
    explains: ['session/chosen-id-is-not-adopted', 'habits/stale-session-id-revives-no-session'],
  },
  {
    name: 'A second initialize opens a second session',
    advice: 'Answer an `initialize` in a live session with an error, and leave the session as it is.',
    explains: ['session/second-initialize-does-no-harm'],
  },
  {
    name: 'A DELETE ends more than its own session',
    advice: 'End only the session that `Mcp-Session-Id` names; keep transports in a map by id, not in one variable.',
    explains: ['session/delete-ends-no-other'],
  },
  {
    name: 'Requests without a valid token are served',
    advice:
      'Check the bearer token of every request, of any method and with any session id, before it is looked at: signature, expiry, issuer; answer 401 otherwise.',
    explains: [
      'auth/session-id-is-no-credential',
      'auth/notifications-and-responses-need-the-token',
      'auth/get-needs-the-token',
      'auth/delete-needs-the-token',
      'auth/invalid-token-is-401',
      'auth/unsigned-token-is-401',
      'auth/expired-token-is-401',
      'auth/modern-requests-need-the-token',
      'auth/modern-invalid-token-is-401',
    ],
  },
  {
    name: 'Tokens for another audience are accepted',
    advice: 'Accept only tokens whose audience is this endpoint (RFC 8707).',
    explains: ['auth/foreign-audience-is-401'],
  },
  {
    name: 'Tokens in the URL are accepted',
    advice: 'Read the token from the `Authorization` header alone: URLs end up in logs.',
    explains: ['auth/token-in-query-is-not-accepted'],
  },
  {
    name: 'Clients cannot find out how to get a token',
    advice:
      'Send `WWW-Authenticate: Bearer resource_metadata="…"` with the 401, and serve there JSON with `resource` (the URL of this endpoint) and `authorization_servers`.',
    explains: [
      'auth/challenge-is-bearer',
      'auth/metadata-can-be-found',
      'auth/metadata-names-this-endpoint',
      'auth/metadata-names-an-authorization-server',
    ],
  },
  {
    name: 'A token without the scope is not told which one it lacks',
    advice: 'Answer 403 with `WWW-Authenticate: Bearer error="insufficient_scope", scope="…"`.',
    explains: [
      'auth/insufficient-scope-is-403',
      'auth/insufficient-scope-is-explained',
      'auth/scope-of-a-tool-is-challenged',
      'auth/modern-scope-of-a-tool-is-challenged',
    ],
  },
  {
    name: "Sessions may be used with another user's token",
    advice: 'Keep the user of the token with the session, and answer 404 to everybody else.',
    explains: [
      'auth/other-user-cannot-post',
      'auth/other-user-cannot-listen',
      'auth/other-user-cannot-resume',
      'auth/other-user-cannot-delete',
      'auth/other-users-answer-has-no-effect',
    ],
  },
  {
    name: 'Nodes do not share what ends a session',
    advice:
      'Keep sessions in a store that all nodes ask on each request, or route a session to one node, so that its end holds everywhere.',
    explains: ['nodes/'],
  },
  {
    name: 'A session that has ended keeps its streams open',
    advice: 'Close the transport of a session, and with it its streams, when you take it out of your map of sessions.',
    explains: ['get-stream/ends-with-the-session', 'session/delete-ends-streams-and-handlers'],
  },
]
