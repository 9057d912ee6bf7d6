import type { AppendOutcome, Backplane, BusMessage, LogEvent, MessageBus } from '../../src/index.ts'
import type { Checker } from './checker.ts'
import type { Database, Sentence } from './database.ts'
import type { Random } from './random.ts'
import type { Process, VirtualTime } from './virtual-time.ts'

/** How much goes wrong on the way, each from 0 to 1. */
export interface Faults {
  /** A command fails, with or without effect. */
  readonly failing: number
  /** A command takes long. */
  readonly late: number
  /** A command gets no answer before its deadline. */
  readonly stuck: number
  /** A message between nodes is lost. */
  readonly lost: number
  /** A message comes twice. */
  readonly doubled: number
}

interface Command<T> {
  readonly name: string
  readonly given: readonly unknown[]
  readonly effect: () => T
  /** The sentence on outages that a database can break, and what it says then. */
  readonly outage?: Sentence
  readonly said?: T
  /** Takes effect after those before it of this session. */
  readonly inOrderOf?: string
}

export interface LinkParts {
  readonly name: string
  readonly time: VirtualTime
  readonly random: Random
  readonly database: Database
  readonly checker: Checker
  readonly broker: Broker
  readonly faults: () => Faults
  readonly process: Process
}

/** Carries messages between links, in order for each publisher and channel. */
export class Broker {
  readonly subscriptions = new Map<string, Set<(message: string, order: Map<string, number>) => void>>()
}

/**
 * One node's way to the database. Every command is two points in time, when it takes effect and when its reply is
 * there, and may fail before the one, after it, or take so long that nobody waits any more.
 */
export class Link {
  /** The database cannot be reached: everything fails. */
  isAway = false
  readonly backplane: Backplane
  /** The name that the node has among others. */
  nodeName = ''
  readonly #parts: LinkParts
  readonly #missed = new Set<() => void>()
  /** When the newest append of a session takes effect: the next one does not before that. */
  readonly #appending = new Map<string, number>()
  readonly #publishing = new Map<string, number>()
  /** The same for what appends publish: there is no order between the two. */
  readonly #announcing = new Map<string, number>()

  constructor(parts: LinkParts) {
    const { database } = parts
    this.#parts = parts
    this.backplane = {
      sessions: {
        create: (...given) => this.#command({ name: 'create', given, effect: () => database.create(given[0]) }),
        get: (...given) =>
          this.#command({
            ...{ name: 'get', given, effect: () => database.get(...given) },
            ...{ outage: 'outage: get rejects', said: undefined },
          }),
        update: (...given) =>
          this.#command({ name: 'update', given, effect: () => database.update(given[0], given[1], given[2]) }),
        takeOver: (...given) => this.#command({ name: 'takeOver', given, effect: () => database.takeOver(...given) }),
        delete: (...given) => this.#command({ name: 'delete', given, effect: () => database.delete(...given) }),
        list: () => database.list(),
        renewLease: (...given) => {
          this.nodeName = given[0]
          return this.#command({ name: 'renewLease', given, effect: () => database.renewLease(...given) })
        },
        hasLease: (...given) =>
          this.#command({
            ...{ name: 'hasLease', given, effect: () => database.hasLease(...given) },
            ...{ outage: 'outage: hasLease rejects', said: false },
          }),
      },
      events: {
        append: (...given) => this.#append(...given),
        appendAndPublish: (...given) => this.#append(...given),
        read: (...given) =>
          this.#command({ name: 'read', given, effect: () => database.read(given[0], given[1], given[2], given[3]) }),
        release: (...given) => {
          this.#command({ name: 'release', given, effect: () => database.release(...given) }).catch(() => undefined)
        },
        settle: () => undefined,
        delete: (...given) =>
          this.#command({
            ...{ name: 'delete log', given, effect: () => database.deleteLog(...given) },
            inOrderOf: given[0],
          }),
        stats: () => ({ sessions: 0, streams: 0, events: 0, bytes: 0 }),
      },
      bus: { publish: (...given) => this.#publish(...given), subscribe: (...given) => this.#subscribe(...given) },
    }
  }

  /** The database can be reached again. */
  comeBack(): void {
    this.isAway = false
    this.#parts.time.after(1, this.#parts.process, () => {
      for (const missed of this.#missed) missed()
    })
  }

  #command<T>({ name, given, effect, outage, said, inOrderOf }: Command<T>): Promise<T> {
    const { time, random, database, checker, faults, process } = this.#parts
    const report = (outcome: () => string): void =>
      time.trace?.(`${this.#parts.name}: ${name}(${show(given)}) ${outcome()}`)
    const failed = (how: string): void => checker.histories.failed(`${name} ${how}`, String(given[0]))
    return new Promise((resolve, reject) => {
      const { isAway } = this
      if (isAway && outage && database.breaks(outage)) return resolve(said as T)
      const isFailing = isAway || random.chance(faults().failing)
      const at = this.#inOrder(inOrderOf, time.now + this.#delay())
      if (isFailing && random.chance(isAway ? 0.9 : 0.5)) {
        report(() => `fails at ${Math.round(at)}`)
        failed('fails')
        return void time.at(at, process, () => reject(lostConnection))
      }
      // What a process sent before it was killed may have gone out, or not.
      const isSent = random.chance(0.5)
      time.at(at, undefined, () => {
        if (process.isGone && !isSent) return
        const result = effect()
        if (isFailing) failed('is not heard of')
        report(() => `→ ${show([result])}${isFailing ? ', and its reply is lost' : ''}`)
        const answer = (): void => (isFailing ? reject(lostConnection) : resolve(result))
        time.after(random.chance(0.5) ? 0 : this.#delay(), process, answer)
      })
    })
  }

  #inOrder(key: string | undefined, soon: number): number {
    if (key === undefined || this.#parts.database.breaks('append: those of one session take effect in order'))
      return soon
    const at = Math.max(soon, this.#appending.get(key) ?? 0)
    this.#appending.set(key, at)
    return at
  }

  #delay(): number {
    const { random, faults } = this.#parts
    const { stuck, late } = faults()
    const chance = random.next()
    if (chance < stuck) return 11_000
    if (chance < stuck + late) return random.between(50, 2_500)
    return chance > 0.9 ? random.between(2, 60) : random.between(0.1, 2)
  }

  #append(key: string, events: readonly LogEvent[], messages: readonly BusMessage[] = []): Promise<AppendOutcome> {
    const { database } = this.#parts
    const effect = (): AppendOutcome => {
      const outcome = database.append(key, events)
      const isPublished = outcome === 'ok' || database.breaks('append: one that failed publishes nothing')
      if (isPublished) for (const { channel, message } of messages) this.#send(channel, message, this.#announcing)
      return outcome
    }
    return this.#command({
      ...{ name: 'append', given: [key, events, messages], effect, inOrderOf: key },
      ...{ outage: 'outage: append rejects', said: 'gone' },
    })
  }

  // ---- MessageBus ----

  async #publish(channel: string, message: string): Promise<void> {
    if (this.isAway) throw lostConnection
    this.#send(channel, message, this.#publishing)
  }

  #send(channel: string, message: string, order: Map<string, number>): void {
    const { time, random, database, checker, broker, faults } = this.#parts
    const isLost = random.chance(faults().lost) || database.breaks('bus: a lost message is all that is lost')
    checker.histories.sent(message, isLost)
    const isMixedUp = database.breaksNow('bus: channels are kept apart')
    time.trace?.(`${this.#parts.name}: publish(${message})${isLost ? ' is lost' : ''}`)
    if (isLost) return
    const to = isMixedUp ? random.pick([...broker.subscriptions.keys()]) : channel
    for (const hear of broker.subscriptions.get(to) ?? []) {
      hear(message, order)
      if (random.chance(faults().doubled)) hear(message, order)
    }
  }

  async #subscribe(...[channel, listener, missed]: Parameters<MessageBus['subscribe']>): Promise<() => void> {
    const { time, process, database, broker } = this.#parts
    let isOver = false
    const hear = (message: string, order: Map<string, number>): void => {
      if (this.isAway) return
      const soon = time.now + this.#delay()
      const isInOrder = !database.breaks('bus: in order')
      const at = isInOrder ? Math.max(soon, order.get(channel) ?? 0) : soon
      order.set(channel, at)
      time.at(at, process, () => {
        if (!isOver) listener(message)
      })
    }
    const subscriptions = broker.subscriptions.get(channel) ?? new Set()
    broker.subscriptions.set(channel, subscriptions.add(hear))
    if (missed) this.#missed.add(missed)
    return () => {
      isOver = true
      subscriptions.delete(hear)
    }
  }
}

const lostConnection = new Error('The connection to the database is lost')

function show(given: readonly unknown[]): string {
  return given.map((value) => JSON.stringify(value)?.replaceAll('"', '').slice(0, 200)).join(', ')
}
