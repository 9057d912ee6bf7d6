import { describe, expect, test } from 'vitest'
import { createTestEndpoint } from '../../../test-support/in-process/test-endpoint.ts'
import { TestServer } from '../../../test-support/in-process/test-server.ts'
import { observe, type RefusalCode, Rejection, sessionKey, sharedServer, toBusMessage } from '../src/index.ts'

// What a type check would find: many write JavaScript.

const changed = { method: 'notifications/tools/list_changed' }
const forgotten = sessionKey('x'.repeat(32)) as unknown as string

describe('notify', () => {
  const aReceiver = 'Expected a receiver as { sessionKey: await sessionKey(sessionId) }, got'

  test.each<[string, unknown, unknown, string]>([
    [
      'a method alone',
      changed.method,
      undefined,
      `Expected a notification, as { method: 'notifications/…' }, got "not`,
    ],
    ['nothing', undefined, undefined, `Expected a notification, as { method: 'notifications/…' }, got undefined`],
    ['params in an array', { ...changed, params: [1] }, undefined, 'params of a notification to be an object, got [1]'],
    ['a key that was not found', changed, { sessionKey: undefined }, aReceiver],
    ['a promise of a key', changed, { sessionKey: forgotten }, aReceiver],
    ['a session id', changed, { sessionId: 'x'.repeat(32) }, aReceiver],
  ])('with %s is refused, and sent to nobody', async (_what, notification, to, message) => {
    const { endpoint, errors } = createTestEndpoint()
    await expect(endpoint.notify(notification as never, to as never)).rejects.toThrow(message)
    expect(() => toBusMessage(notification as never, to as never)).toThrow(message)
    expect(errors).toEqual([])
  })
})

test.each<'get' | 'end' | 'streams'>(['get', 'end', 'streams'])(
  'sessions.%s() of a promise of a key is refused, where it would find no session',
  async (name) => {
    const { endpoint } = createTestEndpoint()
    const message = 'Expected the key of a session, as await sessionKey(sessionId), got an object of Promise'
    await expect(endpoint.sessions[name](forgotten)).rejects.toThrow(message)
    await expect(endpoint.sessions.events(forgotten, 'a')).rejects.toThrow(message)
  },
)

test('a server object in place of the function that sharedServer wants is refused at once', () => {
  expect(() => sharedServer(new TestServer() as never)).toThrow(
    'Expected the argument of sharedServer to be a function, as () => new McpServer(…), got an object of TestServer',
  )
})

test('a code that does not exist is refused by its name', () => {
  expect(() => new Rejection('unauthorised' as RefusalCode)).toThrow(
    `Expected the code of a Rejection to exist, as 'unauthorized', got "unauthorised"`,
  )
})

test.each<[string, unknown, string]>([
  ['a channel that does not exist', { calls: {} }, 'Unknown channel: calls (known are request, session, call,'],
  [
    'a moment that does not exist',
    { call: { done: () => undefined } },
    'Unknown moment of call: done (known are start,',
  ],
  ['a function in place of moments', { call: () => undefined }, 'Expected `call` of the observer to be an object of'],
  ['what is no listener', { call: { asyncEnd: 'log' } }, 'Expected `call.asyncEnd` of the observer to be a function'],
  ['no listener of refusals', { refusal: {} }, 'Expected `refusal` of the observer to be a function, got {}'],
  [
    'nothing',
    undefined,
    'Expected the observer to be an object of listeners, as in { call: { asyncEnd: … } }, got undef',
  ],
])('observe with %s is refused by its name', (_what, observer, message) => {
  const { endpoint } = createTestEndpoint()
  expect(() => observe(endpoint, observer as never)).toThrow(message)
})
