import type { RefusalMessage, TracedMessage, TracedMessages } from './messages.ts'

/** The parts of `node:diagnostics_channel` that are used. Other runtimes have the module as well, or do without. */
interface DiagnosticsModule {
  channel(name: string): Channel<never>
  tracingChannel(name: string): TracingChannel<never>
}

export interface Channel<Message> {
  readonly hasSubscribers: boolean
  publish(message: Message): void
  runStores(message: Message, work: () => void): void
  subscribe(listener: (message: Message) => void): void
  unsubscribe(listener: (message: Message) => void): boolean
}

/** The moments of something that takes time, as `TracingChannel` of Node names them. */
export type Moment = 'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error'

export type TracingChannel<Message> = { readonly hasSubscribers: boolean } & {
  readonly [Name in Moment]: Channel<Message>
}

const diagnostics = findModule()

/** An import would break the runtimes that lack it. */
function findModule(): DiagnosticsModule | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => DiagnosticsModule | undefined } }
  const found = process?.getBuiltinModule?.('node:diagnostics_channel')
  return typeof found?.tracingChannel === 'function' ? found : undefined
}

/** One kind of thing that takes time. Nothing is made of it while nobody has subscribed. */
class Trace<Message extends TracedMessage> {
  /** `undefined` on a runtime without diagnostics channels. */
  readonly channel: TracingChannel<Message> | undefined

  constructor(name: string) {
    this.channel = diagnostics?.tracingChannel(`throughline.${name}`)
  }

  get isObserved(): boolean {
    return this.channel?.hasSubscribers === true
  }

  /** Publishes `start` and `end` around the part of the work that does not wait. `work` must not throw. */
  begin(message: Message, work?: () => void): void {
    const { channel } = this
    if (!channel) return work?.()
    channel.start.runStores(message, () => runWithin(message, work ?? nothing))
    channel.end.publish(message)
  }

  /** Publishes `asyncStart` and `asyncEnd`, and `error` before them where the message has one. */
  finish(message: Message): void {
    message.durationMs = performance.now() - message.startedAt
    if (message.error !== undefined) this.channel?.error.publish(message)
    this.channel?.asyncStart.publish(message)
    this.channel?.asyncEnd.publish(message)
  }

  /** Both, around work that waits. `settle` adds to the message what came of it. */
  async run<Result>(
    message: Message,
    work: () => Promise<Result>,
    settle: (message: Message, result: Result) => void,
  ): Promise<Result> {
    let working: Promise<Result> | undefined
    this.begin(message, () => {
      working = work()
    })
    try {
      const result = await (working as Promise<Result>)
      settle(message, result)
      return result
    } catch (error) {
      message.error = error
      throw error
    } finally {
      this.finish(message)
    }
  }
}

export const traces: { readonly [Name in keyof TracedMessages]: Trace<TracedMessages[Name]> } = {
  request: new Trace('request'),
  session: new Trace('session'),
  call: new Trace('call'),
  question: new Trace('question'),
  stream: new Trace('stream'),
  replay: new Trace('replay'),
  forward: new Trace('forward'),
  takeover: new Trace('takeover'),
}

/** `undefined` on a runtime without diagnostics channels. */
export const refusalChannel: Channel<RefusalMessage> | undefined = diagnostics?.channel('throughline.refusal')

/** The beginning of each message of something that takes time. */
export function begun(endpoint: object): Pick<TracedMessage, 'version' | 'endpoint' | 'startedAt'> {
  return { version: 1, endpoint, startedAt: performance.now() }
}

const nothing = (): void => undefined

/** Whatever a subscriber's code does, the work is done, and once. */
function runWithin({ within }: TracedMessage, work: () => void): void {
  if (within === undefined) return work()
  let wasDone = false
  const once = (): void => {
    if (wasDone) return
    wasDone = true
    work()
  }
  try {
    within(once)
  } catch (error) {
    // As of a subscriber that throws: it is the process's to know.
    queueMicrotask(() => {
      throw error
    })
  }
  once()
}
