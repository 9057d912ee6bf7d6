import { randomUUID } from 'node:crypto'
import type { CheckContext } from './context.ts'
import type { Exchange } from './exchange.ts'
import { expectThat, fail, notTestable, SetupFailure } from './expect.ts'
import { type Id, isObject, type Json, type Message } from './json-rpc.ts'
import { describeAnswer, discover, metaKeys, modernSend } from './modern.ts'
import { messagesOn } from './probes.ts'
import { responseIn } from './session.ts'
import { delay, patienceMs } from './waiting.ts'

/** What a client asks to be told of. */
export interface Filter {
  readonly toolsListChanged?: boolean
  readonly promptsListChanged?: boolean
  readonly resourcesListChanged?: boolean
  readonly resourceSubscriptions?: readonly string[]
}

/** An open `subscriptions/listen`. */
export class Listening {
  readonly exchange: Exchange
  readonly id: Id
  readonly what: string

  constructor(exchange: Exchange, id: Id) {
    this.exchange = exchange
    this.id = id
    this.what = `the subscription ${JSON.stringify(id)}`
  }

  get messages(): Message[] {
    return messagesOn(this.exchange)
  }

  /** The first message, whatever it is. */
  async first(): Promise<Message> {
    await this.exchange.stream.atLeast(1)
    return this.messages[0] ?? fail(`Expected a first message on ${this.what}, none came`)
  }

  /** Waits until `count` notifications of this method came. */
  async until(method: string, count = 1): Promise<Message[]> {
    const found = () => this.messages.filter((message) => message.method === method)
    const deadline = performance.now() + patienceMs
    while (found().length < count && !this.exchange.ended && performance.now() < deadline) await delay(5)
    expectThat(found().length >= count, `Expected ${method} on ${this.what}, got ${JSON.stringify(this.messages)}`)
    return found()
  }

  close(): void {
    this.exchange.abort()
  }
}

const anything: Filter = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true }

/** Opens a subscription, without a look at what comes on it. */
export async function openListen(
  context: CheckContext,
  notifications: Filter = anything,
  id: Id = randomUUID(),
): Promise<Listening> {
  const { exchange } = await modernSend(context, 'subscriptions/listen', { notifications }, { id })
  if (exchange.isEventStream) return new Listening(exchange, id)
  const response = await responseIn(exchange, id)
  // Who announces no changes may refuse to tell of them, in whatever way.
  if (response.error !== undefined && !(await announcesChanges(context))) notTestable('the server announces no changes')
  throw new SetupFailure(`${method} opens no event stream: ${describeAnswer({ exchange, response })}`)
}

const method = 'subscriptions/listen'

/** Opens a subscription that the server grants in full. */
export async function listen(context: CheckContext, notifications: Filter, id?: Id): Promise<Listening> {
  const listening = await openListen(context, notifications, id)
  const honoured = honouredBy(await listening.first())
  for (const type of Object.keys(notifications)) {
    if (honoured[type] === undefined) notTestable(`the server does not grant ${type}`)
  }
  return listening
}

/** The subset that an acknowledgement grants. */
export function honouredBy({ params }: Message): Json {
  return isObject(params?.notifications) ? params.notifications : {}
}

export function subscriptionOf({ params, result }: Message): unknown {
  const meta = params?._meta ?? result?._meta
  return isObject(meta) ? meta[metaKeys.subscription] : undefined
}

/** `true` when a capability says that clients can be told of changes. */
async function announcesChanges(context: CheckContext): Promise<boolean> {
  const { capabilities } = await discover(context)
  if (!isObject(capabilities)) return false
  return Object.values(capabilities).some(
    (one) => isObject(one) && (one.listChanged === true || one.subscribe === true),
  )
}
