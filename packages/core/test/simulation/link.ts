import type { Backplane, MessageBus } from '../../src/index.ts'
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

export interface LinkParts {
  readonly time: VirtualTime
  readonly random: Random
  readonly database: Database
  readonly broker: Broker
  readonly faults: Faults
  readonly process: Process
  readonly trace?: ((line: string) => void) | undefined
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

  constructor(parts: LinkParts) {
    const { database } = parts
    this.#parts = parts
    this.backplane = {
      sessions: {
        create: (record) => this.#command(() => database.create(record)),
        get: (key) => this.#command(() => database.get(key), 'outage: get rejects', undefined),
        update: (key, term, changes) => this.#command(() => database.update(key, term, changes)),
        takeOver: (key, taking) => this.#command(() => database.takeOver(key, taking)),
        delete: (key, term) => this.#command(() => database.delete(key, term)),
        list: () => database.list(),
        renewLease: (node, leaseMs) => {
          this.nodeName = node
          return this.#command(() => database.renewLease(node, leaseMs))
        },
        hasLease: (node) => this.#command(() => database.hasLease(node), 'outage: hasLease rejects', false),
      },
      events: {
        append: (key, event) =>
          this.#command(() => database.append(key, event), 'outage: append rejects', 'gone', this.#orderOf(key)),
        read: (...asked) => this.#command(() => database.read(...asked)),
        release: (...released) => void this.#command(() => database.release(...released)).catch(() => undefined),
        settle: () => undefined,
        delete: (key, term) =>
          this.#command(() => database.deleteLog(key, term), undefined, undefined, this.#orderOf(key)),
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

  #orderOf(key: string): ((at: number) => number) | undefined {
    if (this.#parts.database.breaks('append: those of one session take effect in order')) return undefined
    return (at) => {
      const after = Math.max(at, this.#appending.get(key) ?? 0)
      this.#appending.set(key, after)
      return after
    }
  }

  #command<T>(
    effect: () => T,
    outage?: Sentence,
    saidInOutage?: T,
    inOrder: (at: number) => number = (at) => at,
  ): Promise<T> {
    const { time, random, database, faults, process } = this.#parts
    return new Promise((resolve, reject) => {
      const fail = (at: number): void => void time.at(at, process, () => reject(lostConnection))
      const isAway = this.isAway
      if (isAway && outage && database.breaks(outage)) return resolve(saidInOutage as T)
      const isFailing = isAway || random.chance(faults.failing)
      const at = inOrder(time.now + this.#delay())
      if (isFailing && random.chance(isAway ? 0.9 : 0.5)) return fail(at)
      // What a process sent before it was killed may have gone out, or not.
      const isSent = random.chance(0.5)
      time.at(at, undefined, () => {
        if (process.isGone && !isSent) return
        const result = effect()
        const answer = (): void => (isFailing ? reject(lostConnection) : resolve(result))
        time.after(random.chance(0.5) ? 0 : this.#delay(), process, answer)
      })
    })
  }

  #delay(): number {
    const { random, faults } = this.#parts
    const chance = random.next()
    if (chance < faults.stuck) return 11_000
    if (chance < faults.stuck + faults.late) return random.between(50, 2_500)
    return chance > 0.9 ? random.between(2, 60) : random.between(0.1, 2)
  }

  // ---- MessageBus ----

  async #publish(channel: string, message: string): Promise<void> {
    const { random, database, broker, faults } = this.#parts
    if (this.isAway) throw lostConnection
    const isLost = random.chance(faults.lost) || database.breaks('bus: a lost message is all that is lost')
    if (isLost) return
    const isMixedUp = database.breaksNow('bus: channels are kept apart')
    const to = isMixedUp ? random.pick([...broker.subscriptions.keys()]) : channel
    for (const hear of broker.subscriptions.get(to) ?? []) {
      hear(message, this.#publishing)
      if (random.chance(faults.doubled)) hear(message, this.#publishing)
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
