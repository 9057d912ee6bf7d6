import type { Cause } from './cause.ts'

/** What a server lists, reads and asks for. */
export const offerCauses: readonly Cause[] = [
  {
    name: 'A resource that is not there is not told as such',
    advice:
      'Answer resources/read of an unknown URI with an error, -32002 up to 2025-11-25 and -32602 in 2026-07-28, and never with empty contents.',
    explains: [
      'resources/unknown-is-not-found',
      'modern/unknown-resource-is-invalid-params',
      'modern/unknown-resource-is-not-empty',
    ],
  },
  {
    name: 'Names of tools are not plain and unique',
    advice:
      'Give each tool a name of its own, of 1 to 128 ASCII letters, digits, underscores, hyphens and dots, as clients and models tell tools by it.',
    explains: [
      'tool-lists/names-are-plain',
      'tool-lists/names-are-unique',
      'modern/tool-names-are-plain',
      'modern/tool-names-are-unique',
    ],
  },
  {
    name: 'Lists differ from one request to the next',
    advice:
      'Let tools/list and the other lists depend on what the request says alone, and keep the order of their entries, so that clients can cache them.',
    explains: ['modern/lists-do-not-vary-by-connection', 'modern/tools-keep-their-order'],
  },
  {
    name: 'What server/discover announces is not what is served',
    advice:
      'Announce in server/discover exactly the capabilities whose methods the server has, and name the server in `_meta` of every result.',
    explains: [
      'modern/announced-lists-are-served',
      'modern/unannounced-methods-are-unknown',
      'modern/results-name-the-server',
    ],
  },
  {
    name: 'Results lack the hints for caches, or pages have different ones',
    advice:
      'Give results of lists and of resources/read a `ttlMs` from 0 and a `cacheScope`, the same scope on all pages of one list.',
    explains: ['modern/read-results-have-cache-hints', 'modern/pages-share-a-cache-scope'],
  },
  {
    name: 'White space around header values counts',
    advice:
      'Trim spaces and tabs around the value of a header before you compare it, as HTTP takes them for no part of it.',
    explains: ['modern/white-space-around-header-values-is-ignored'],
  },
  {
    name: 'Progress of a call is not counted up under its token',
    advice:
      'Send progress under the token of its own request, unchanged in value and type, with values that only rise, and none to a request without a token.',
    explains: ['modern/progress-increases', 'modern/progress-keeps-the-token', 'modern/progress-needs-a-token'],
  },
  {
    name: 'Messages of 2026-07-28 do not fit its schema',
    advice: 'Hold every result, error and notification against the schema of the revision before it is sent.',
    explains: ['always/modern-messages-fit-the-schema'],
  },
  {
    name: 'The state of a request that asks is taken as it comes',
    advice:
      'Sign `requestState`, bind it to its request and its user, and refuse one that was changed or belongs to another request.',
    explains: ['input/tampered-state-is-rejected', 'input/state-of-another-request-is-rejected'],
  },
  {
    name: 'Results of the type input_required are not as they should be',
    advice:
      'Ask only in tools/call, prompts/get and resources/read, only what the client has declared, with requests or a state in each such result, and complete the request once all answers are there.',
    explains: ['input/'],
  },
]
