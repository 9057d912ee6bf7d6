import { expectEqual, expectThat, judged, notTestable } from '../client/expect.ts'
import { metaKeys, modernRole, modernTool } from '../client/modern.ts'
import { honouredBy, listen, openListen, subscriptionOf } from '../client/modern-listen.ts'
import { delay } from '../client/waiting.ts'
import { requirement } from '../requirement.ts'

const subscriptions = '2026-07-28/basic/patterns/subscriptions'
const transport = '2026-07-28/basic/transports/streamable-http'
const acknowledged = 'notifications/subscriptions/acknowledged'
const toolsChanged = 'notifications/tools/list_changed'
const promptsChanged = 'notifications/prompts/list_changed'
const resourceUpdated = 'notifications/resources/updated'

/** Longer than the 30 seconds after which proxies in common use cut what is silent. */
const idleMs = 35_000

/** T. `subscriptions/listen`. */
export const modernSubscriptionRequirements = [
  requirement({
    id: 'listen/answer-is-an-event-stream',
    title: 'subscriptions/listen is answered with status 200 and text/event-stream.',
    rows: ['R287'],
    level: 'MUST',
    spec: `${transport}#receiving-messages`,
    era: 'modern',
    async check(context) {
      const { exchange } = await judged(openListen(context))
      expectEqual(exchange.status, 200, 'the status of subscriptions/listen')
    },
  }),
  requirement({
    id: 'listen/acknowledgement-comes-first',
    title: 'The first message on a subscription is its acknowledgement.',
    rows: ['R286'],
    level: 'MUST',
    spec: `${subscriptions}#acknowledgment`,
    era: 'modern',
    async check(context) {
      const listening = await openListen(context)
      expectEqual((await listening.first()).method, acknowledged, 'the method of the first message')
    },
  }),
  requirement({
    id: 'listen/acknowledgement-names-only-what-was-asked',
    title: 'The acknowledgement names a subset of the notifications that were asked for.',
    rows: ['R286'],
    level: 'MUST',
    spec: `${subscriptions}#acknowledgment`,
    because: 'It reflects the subset that the server agrees to honour.',
    era: 'modern',
    async check(context) {
      const filter = { toolsListChanged: true, resourceSubscriptions: ['throughline://one'] }
      const first = await (await openListen(context, filter)).first()
      const { toolsListChanged: _, resourceSubscriptions, ...rest } = honouredBy(first)
      const unasked = Object.entries(rest).filter(([, value]) => value !== false && value !== undefined)
      expectThat(unasked.length === 0, `Expected only what was asked for, got ${JSON.stringify(first.params)}`)
      const uris: unknown[] = Array.isArray(resourceSubscriptions) ? resourceSubscriptions : []
      const isSubset = uris.every((uri) => uri === 'throughline://one')
      expectThat(isSubset, `Expected only the URIs that were asked for, got ${JSON.stringify(resourceSubscriptions)}`)
    },
  }),
  requirement({
    id: 'listen/subscription-id-is-the-requests-id',
    title: 'The acknowledgement has the id of the request as its subscriptionId, in value and type.',
    rows: ['R286', 'R288'],
    level: 'MUST',
    spec: `${subscriptions}#receiving-notifications`,
    era: 'modern',
    async check(context) {
      for (const id of [7, 'seven', '7']) {
        const listening = await openListen(context, undefined, id)
        expectEqual(subscriptionOf(await listening.first()), id, 'subscriptionId of the acknowledgement')
      }
    },
  }),
  requirement({
    id: 'listen/notifications-carry-the-subscription-id',
    title: 'Every notification on a subscription has the id of its request as its subscriptionId.',
    rows: ['R288'],
    level: 'MUST',
    spec: '2026-07-28/basic#meta',
    era: 'modern',
    needs: ['role:list_changed'],
    async check(context) {
      await modernRole(context, 'list_changed')
      const listening = await listen(context, { toolsListChanged: true }, 11)
      await modernTool(context, 'list_changed')
      await listening.until(toolsChanged)
      for (const message of listening.messages) {
        expectEqual(subscriptionOf(message), 11, `subscriptionId of ${message.method}`)
      }
    },
  }),
  requirement({
    id: 'listen/only-requested-types-are-sent',
    title: 'A subscription gets no notifications of types that it did not ask for.',
    rows: ['R289'],
    level: 'MUST NOT',
    spec: `${subscriptions}#opening-a-stream`,
    era: 'modern',
    needs: ['role:list_changed', 'role:prompts_changed'],
    async check(context) {
      await modernRole(context, 'list_changed')
      await modernRole(context, 'prompts_changed')
      const tools = await listen(context, { toolsListChanged: true })
      const prompts = await listen(context, { promptsListChanged: true })
      await modernTool(context, 'list_changed')
      await modernTool(context, 'prompts_changed')
      await tools.until(toolsChanged)
      await prompts.until(promptsChanged)
      // What comes now comes after everything that was sent before.
      await modernTool(context, 'list_changed')
      await tools.until(toolsChanged, 2)
      for (const [listening, own] of [[tools, toolsChanged] as const, [prompts, promptsChanged] as const]) {
        const others = listening.messages.map(({ method }) => method).filter((name) => name !== own)
        expectEqual(others, [acknowledged], `other messages on the subscription to ${own}`)
      }
    },
  }),
  requirement({
    id: 'listen/only-listed-resources-are-updated',
    title: 'A subscription to one resource gets no updates of another.',
    rows: ['R289'],
    level: 'MUST NOT',
    spec: `${subscriptions}#notification-filter`,
    era: 'modern',
    needs: ['role:touch_resource'],
    async check(context) {
      await modernRole(context, 'touch_resource')
      const [uri, other] = ['test://watched-resource', 'test://static-text']
      const listening = await listen(context, { resourceSubscriptions: [uri] })
      await modernTool(context, 'touch_resource', { uri: other })
      await modernTool(context, 'touch_resource', { uri })
      const updates = await listening.until(resourceUpdated)
      const foreign = updates.map(({ params }) => params?.uri).filter((updated) => updated !== uri)
      expectEqual(foreign, [], 'updates of other resources')
    },
  }),
  requirement({
    id: 'listen/streams-are-told-apart',
    title: 'Two subscriptions both get what they ask for, and closing one leaves the other.',
    rows: ['R290'],
    level: 'MUST',
    spec: `${subscriptions}#multiple-concurrent-subscriptions`,
    because: 'A client may have several: each is a request of its own, and ends alone.',
    era: 'modern',
    needs: ['role:list_changed'],
    async check(context) {
      await modernRole(context, 'list_changed')
      const first = await listen(context, { toolsListChanged: true }, 'first')
      const second = await listen(context, { toolsListChanged: true }, 'second')
      await modernTool(context, 'list_changed')
      await first.until(toolsChanged)
      await second.until(toolsChanged)
      first.close()
      await modernTool(context, 'list_changed')
      const came = await second.until(toolsChanged, 2)
      for (const message of came) expectEqual(subscriptionOf(message), 'second', 'subscriptionId of the second')
    },
  }),
  requirement({
    id: 'listen/carries-nothing-of-other-requests',
    title: 'Progress and log messages of other requests are not sent on a subscription.',
    rows: ['R291', 'R280'],
    level: 'MUST',
    spec: `${transport}#receiving-messages`,
    era: 'modern',
    needs: ['role:progress'],
    async check(context) {
      await modernRole(context, 'progress')
      const listening = await openListen(context)
      await listening.first()
      const meta = { progressToken: 'elsewhere', [metaKeys.logLevel]: 'debug' }
      await modernTool(context, 'progress', {}, { meta })
      if (context.target.roles.has('log')) await modernTool(context, 'log', {}, { meta })
      await delay(100)
      const scoped = ['notifications/progress', 'notifications/message']
      const foreign = listening.messages.map(({ method = '' }) => method).filter((method) => scoped.includes(method))
      expectEqual(foreign, [], 'messages of other requests on a subscription')
    },
  }),
  requirement({
    id: 'listen/idle-stream-is-kept-alive',
    title: 'Something is sent within 35 seconds on a subscription on which nothing happens.',
    rows: ['R283'],
    level: 'SHOULD',
    spec: `${transport}#receiving-messages`,
    because: 'Servers are encouraged to send comment lines: proxies and clients give up on what is silent.',
    era: 'modern',
    slow: true,
    async check(context) {
      const listening = await openListen(context)
      const granted = Object.keys(honouredBy(await listening.first()))
      if (granted.length === 0) notTestable('the server grants no notifications')
      const { stream } = listening.exchange
      const before = stream.chunks.length
      const deadline = performance.now() + idleMs
      while (stream.chunks.length === before && !stream.ended && performance.now() < deadline) await delay(100)
      expectThat(stream.chunks.length > before, `Expected something on an idle stream within ${idleMs / 1_000} s`)
    },
  }),
]
