import type { Cause } from './cause.ts'

/** Of answers and event streams up to 2025-11-25: what is on them, how they end and how they go on. */
export const streamCauses: readonly Cause[] = [
  {
    name: 'Answers do not fit their requests',
    advice:
      'Answer each request exactly once, with one JSON object or on an event stream, and copy its `id` as it came: value and type, in errors too.',
    explains: [
      'answer/is-one-json-object-or-an-event-stream',
      'answer/id-equals-the-requests-id',
      'answer/error-carries-the-requests-id',
      'answer/refusal-echoes-the-id-or-has-none',
      'answer/is-exactly-one',
      'answer/json-rpc-error-has-status-200',
    ],
  },
  {
    name: 'Messages do not fit the schema',
    advice: 'Compare the message that is shown with the schema of the revision, and correct the member it names.',
    explains: ['answer/messages-are-valid', 'always/messages-fit-the-schema'],
  },
  {
    name: 'Calls that run at the same time are mixed up',
    advice:
      'Find the stream of a call by its session and the `id` in value and type (1 is not "1"), never by the id or progress token alone; two calls of one session with the same id get each its own stream, or the second an error.',
    explains: [
      'post-stream/carries-no-message-of-another-call',
      'post-stream/carries-no-progress-of-another-call',
      'post-stream/same-id-twice-is-told-apart',
      'post-stream/number-and-text-ids-differ',
      'connections/sessions-with-equal-ids-are-told-apart',
      'progress/increases-in-each-of-two-calls',
      'always/messages-keep-to-their-stream',
    ],
  },
  {
    name: 'A session receives what belongs to another',
    advice:
      'Keep streams, events and pending questions by session, and look nothing up without the session of the request.',
    explains: [
      'connections/push-stays-in-its-session',
      'resume/foreign-event-id-leaks-nothing',
      'resume/guessed-event-ids-leak-nothing',
      'connections/many-sessions-get-their-own-answers',
      'response/of-another-session-is-not-delivered',
      'cancel/of-another-session-is-ignored',
    ],
  },
  {
    name: 'Messages come after the answer',
    advice: 'Drop what a tool still sends once its result is on the stream, and end the stream after the response.',
    explains: [
      'post-stream/carries-nothing-after-the-response',
      'always/nothing-follows-the-response',
      'post-stream/ends-after-the-response',
    ],
  },
  {
    name: 'Messages come on the wrong stream',
    advice:
      'Send what a call causes (progress, questions, its response) on the stream of its POST, and on the GET stream only what belongs to no call.',
    explains: [
      'get-stream/carries-no-responses',
      'get-stream/carries-only-unrelated-messages',
      'post-stream/carries-the-calls-messages-before-its-response',
      'post-stream/carries-the-servers-questions',
      'cancel/of-a-lost-call-leaves-later-ones-their-streams',
    ],
  },
  {
    name: 'Messages are sent on more than one stream',
    advice: 'Send each message on one stream of the session only; do not broadcast to all that are open.',
    explains: ['connections/push-arrives-exactly-once', 'connections/question-arrives-exactly-once'],
  },
  {
    name: 'A stream cannot be opened again',
    advice:
      'Take a new GET for the one that counts: the old connection may have broken without the server noticing, and 409 locks the client out.',
    explains: ['get-stream/reopens-after-a-disconnect', 'connections/second-get-is-accepted'],
  },
  {
    name: 'Connections are closed too early',
    advice:
      'Close a connection before the response only after an event with an `id` and a `retry` field were sent on it, and never in sessions before 2025-11-25.',
    explains: [
      'post-stream/early-close-comes-after-an-id',
      'post-stream/early-close-comes-after-a-retry-field',
      '2025-03-26/stream-is-not-closed-before-the-response',
    ],
  },
  {
    name: 'Streams have no priming event',
    advice:
      'Begin each stream of a 2025-11-25 session at once with an event that has an `id` and an empty `data` line.',
    explains: [
      'post-stream/begins-with-a-priming-event',
      'post-stream/priming-event-comes-at-once',
      'sse/priming-event-has-a-data-line',
    ],
  },
  {
    name: 'A client that disconnects cancels its call',
    advice: 'Let a call run on when its connection breaks: only `notifications/cancelled` cancels up to 2025-11-25.',
    explains: ['post-stream/disconnect-is-no-cancel'],
  },
  {
    name: 'Event ids are not unique in the session',
    advice: 'Give every event of a session an id of its own, over all streams: name the stream in the id.',
    explains: ['resume/event-ids-are-unique', 'always/event-ids-are-unique'],
  },
  {
    name: 'A resume brings what belongs to another stream',
    advice: 'Find the stream by the id in `Last-Event-ID`, and replay only the events of that one stream after it.',
    explains: ['resume/replays-no-other-stream', 'resume/id-alone-names-the-stream'],
  },
  {
    name: 'A resume loses, repeats or reorders messages',
    advice:
      'Store each event before it is sent, replay in the order of storing, and hand the stream over to the new connection in one step: what is stored meanwhile goes to that one alone.',
    explains: [
      'resume/continues-a-running-call',
      'resume/replay-keeps-the-order',
      'resume/concurrent-pushes-keep-their-order',
      'resume/standalone-stream-keeps-what-was-missed',
      'resume/two-at-once-get-each-live-message-once',
      'resume/takes-over-from-an-open-connection',
      'resume/goes-on-when-the-old-connection-closes',
      'resume/from-the-last-id-replays-nothing',
      'get-stream/early-close-can-be-resumed',
    ],
  },
  {
    name: 'A resume of a finished stream does not end',
    advice: 'End the stream after the replay when its response is among what was sent.',
    explains: ['resume/finished-stream-is-replayed-and-ended', 'resume/finished-stream-from-its-last-id-ends'],
  },
  {
    name: 'Event ids that were never given are accepted',
    advice: 'Answer 400 to a `Last-Event-ID` that is none of this session, and replay nothing for it.',
    explains: ['resume/garbage-event-id-is-refused', 'resume/forged-event-id-maps-to-nothing'],
  },
  {
    name: 'Requests wait for one another',
    advice: 'Answer a `ping` while calls run: no queue per session, and no work that blocks the event loop.',
    explains: ['ping/is-answered-beside-a-running-call'],
  },
  {
    name: 'Progress is not reported as the client asked',
    advice:
      'Send progress only for requests with a `progressToken`, with that token in value and type, and with values that increase.',
    explains: ['progress/'],
  },
  {
    name: 'Cancellations have no effect',
    advice:
      'On `notifications/cancelled` abort the handler of that request of that session, send no response for it and end its stream.',
    explains: [
      'cancel/aborts-the-handler',
      'cancel/is-not-answered',
      'cancel/ends-the-stream',
      'cancel/ends-a-call-nobody-listens-to',
      'cancel/ends-a-json-answer',
      'cancel/reaches-the-question',
    ],
  },
  {
    name: 'A cancellation that comes late does harm',
    advice: 'Ignore a cancellation of a request that is answered already: 202, no error, no second response.',
    explains: ['cancel/race-with-the-end-is-survived'],
  },
  {
    name: 'The event stream is not well-formed',
    advice:
      'Write each event as whole lines in UTF-8 with an empty line after it: `data:` before every line of JSON, line ends inside texts escaped, `retry:` in digits, ids without U+0000.',
    explains: [
      'sse/content-type-is-event-stream-in-utf8',
      'sse/bytes-are-utf8',
      'sse/last-event-ends-with-a-blank-line',
      'sse/no-raw-line-ends-in-data',
      'sse/text-cannot-forge-events',
      'sse/data-is-one-json-rpc-message',
      'sse/id-has-no-nul',
      'sse/retry-is-digits',
      'sse/comments-stand-alone',
      'sse/event-type-is-message',
    ],
  },
  {
    name: 'Events are held back',
    advice:
      'Flush after every event, keep compression off event streams, and send `Cache-Control: no-cache` and `X-Accel-Buffering: no` with them.',
    explains: [
      'post-stream/is-not-buffered',
      'sse/compression-does-not-buffer',
      'sse/is-neither-cached-nor-buffered',
      'sse/asks-proxies-not-to-buffer',
      'modern/streams-forbid-proxy-buffering',
    ],
  },
  {
    name: 'Silent streams are not kept alive',
    advice: 'Send a comment line, such as `:`, every 15 seconds on each open stream, so that proxies do not cut it.',
    explains: ['sse/idle-streams-are-kept-alive'],
  },
]
