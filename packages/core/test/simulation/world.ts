import type { EndpointOptions } from '../../src/index.ts'
import { Checker, type Violation } from './checker.ts'
import { Client } from './client.ts'
import { Database, type Sentence } from './database.ts'
import { Broker, type Faults, Link } from './link.ts'
import { Node, type Run } from './node.ts'
import { Random } from './random.ts'
import { VirtualTime } from './virtual-time.ts'

export interface WorldOptions {
  readonly seed: number
  /** The sentence of the contract that the database breaks. */
  readonly broken?: Sentence | undefined
  /** Receives what happens. */
  readonly trace?: ((line: string) => void) | undefined
}

export interface Outcome {
  readonly seed: number
  readonly violations: readonly Violation[]
  /** Sessions, each with a history of its own. */
  readonly sessions: number
  readonly steps: number
  readonly appends: number
  readonly delivered: number
  readonly takeovers: number
  readonly gaps: number
  readonly nemeses: number
  /** See {@link Histories}. */
  readonly histories: readonly number[]
  readonly outcomes: Readonly<Record<string, number>>
}

const leaseMs = 2_000

/** Time, in milliseconds, in which everything comes to an end when nothing fails any more. */
const healedByMs = 120_000

/** Time, in milliseconds, after which the way to the database works again. */
const faultsEndMs = 15_000

const noFaults: Faults = { failing: 0, late: 0, stuck: 0, lost: 0, doubled: 0 }

/** Runs one world to its end: the same for the same seed. */
export function runWorld(options: WorldOptions): Outcome {
  return new World(options).run()
}

/** Nodes, a database and clients, in a time of their own; and what goes wrong. */
class World {
  readonly #options: WorldOptions
  readonly #random: Random
  readonly #time: VirtualTime
  readonly #checker: Checker
  readonly #database: Database
  readonly #broker = new Broker()
  readonly #isCalm: boolean
  readonly #faults: Faults
  /** The log drops events early: so may answers be gone. */
  readonly #isTight: boolean
  readonly #endpointOptions: Partial<EndpointOptions>
  readonly #nodes: Node[] = []
  readonly #clients: Client[] = []
  #runs = 0
  #nemeses = 0
  #isOver = false

  constructor(options: WorldOptions) {
    const random = new Random(options.seed)
    const time = new VirtualTime(random)
    const { trace } = options
    time.trace = trace && ((line) => trace(`${time.now.toFixed(1).padStart(9)}  ${line}`))
    const checker = new Checker(() => time.now)
    this.#options = options
    this.#random = random
    this.#time = time
    this.#checker = checker
    this.#isCalm = random.chance(0.2)
    this.#faults = this.#isCalm ? toCalmFaults(random) : toFaults(random)
    const maxEvents = random.chance(0.2) ? 2 + random.below(6) : Infinity
    checker.mayBeLate = this.#faults.stuck > 0
    this.#isTight = maxEvents < Infinity
    this.#database = new Database({ now: () => time.now, random, checker, maxEvents, broken: options.broken })
    this.#endpointOptions = {
      eras: ['2025'],
      leaseMs,
      retryMs: 0,
      response: random.chance(0.3) ? 'sse' : 'auto',
      abandonAfterMs: 60_000,
      ...(random.chance(0.3) && { hibernateAfterMs: 1 + random.below(400) }),
      ...(random.chance(0.3) && { maxConnectionAgeMs: 1_000 + random.below(3_000) }),
    }
    for (let i = 0; i < 2 + random.below(2); i++) this.#start()
  }

  run(): Outcome {
    const random = this.#random
    const time = this.#time
    const checker = this.#checker
    const sessions = 1 + random.below(15)
    const cutting = random.chance(0.7) ? random.between(0, 0.4) : 0
    checker.isPrompt = this.#isCalm && this.#faults === noFaults && cutting === 0 && !this.#isTight
    for (let i = 0; i < sessions; i++) {
      const nodes = (): readonly Node[] => this.#reachable
      const mayFail = (): boolean => !this.#isCalm || this.#isTight
      const calls = 1 + random.below(3)
      this.#clients.push(new Client({ time, random, checker, name: `s${i}`, nodes, cutting, mayFail, calls }))
    }
    if (!this.#isCalm) this.#plan()
    this.#lookWhetherDone()
    time.run(healedByMs, () => this.#isOver || checker.violations.length > 0)
    if (!this.#isOver && checker.violations.length === 0) for (const client of this.#clients) client.complain()
    this.#judgeErrors()
    return this.#toOutcome(sessions)
  }

  #toOutcome(sessions: number): Outcome {
    const { violations, appends, delivered, takeovers, gaps } = this.#checker
    const histories = this.#checker.histories.toHashes()
    const outcomes: Record<string, number> = {}
    for (const { calls } of this.#clients) {
      for (const { outcome = 'none' } of calls) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    }
    const { seed } = this.#options
    const { steps } = this.#time
    const counts = { sessions, steps, appends, delivered, takeovers, gaps, nemeses: this.#nemeses }
    return { seed, violations, ...counts, histories, outcomes }
  }

  /** Nothing may be reported where nothing fails; and nowhere an error of ours. */
  #judgeErrors(): void {
    for (const { errors, name } of this.#nodes) {
      for (const error of errors) {
        const isOurs = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
        if (this.#isCalm || isOurs) this.#checker.violated('fault', `${name} reported ${String(error)}`)
      }
    }
  }

  get #reachable(): readonly Node[] {
    const nodes = this.#nodes.filter(({ isServing }) => isServing)
    return nodes.length > 0 ? nodes : this.#nodes.slice(-1)
  }

  #start(): void {
    const process = { isGone: false, heldUp: undefined }
    const time = this.#time
    const name = `n${this.#nodes.length}`
    const link = new Link({
      ...{ name, time, random: this.#random, database: this.#database, broker: this.#broker, process },
      checker: this.#checker,
      faults: () => (time.now < faultsEndMs ? this.#faults : noFaults),
    })
    time.enter(process, () => {
      const ran = (run: Run): number => this.#ran(run)
      this.#nodes.push(new Node({ name, link, checker: this.#checker, options: this.#endpointOptions, process, ran }))
    })
  }

  #ran({ node, session, call, headers }: Run): number {
    const { key = '' } = this.#clients.find(({ name }) => name === session) ?? {}
    const cameAt = headers['x-came-to'] === node.name ? Number(headers['x-came-at']) : undefined
    this.#trace(`${node.name}: runs ${session}:${call} as run ${this.#runs + 1}`)
    this.#checker.ran({
      ...{ key, call: `${session}:${call}`, cameAt },
      owner: node.link.nodeName,
      process: node.name,
      mayRepeat: !this.#isCalm,
    })
    return ++this.#runs
  }

  #lookWhetherDone(): void {
    this.#time.after(250, undefined, () => {
      const isDone = this.#time.now > 3_500 && this.#clients.every(({ isDone }) => isDone)
      if (isDone && this.#nemeses === 0) this.#isOver = true
      else this.#lookWhetherDone()
    })
  }

  // ---- What goes wrong ----

  #plan(): void {
    const random = this.#random
    for (let left = 1 + random.below(4); left > 0; left--) {
      const nemesis = random.pick([this.#pause, this.#pause, this.#crash, this.#cutOff, this.#close])
      this.#nemeses++
      this.#time.after(random.between(0, 6_000), undefined, () => nemesis.call(this, () => this.#nemeses--))
    }
  }

  #pause(over: () => void): void {
    const node = this.#random.pick(this.#nodes)
    const { process } = node
    if (process.isGone || process.heldUp) return over()
    const ms = this.#random.between(0.2, 3) * leaseMs
    this.#befell(node, 'stands still')
    this.#time.hold(process)
    this.#time.after(ms, undefined, () => {
      this.#befell(node, 'wakes')
      this.#time.wake(process)
      over()
    })
  }

  #crash(over: () => void): void {
    const random = this.#random
    const nodes = this.#nodes.filter(({ isServing }) => isServing)
    if (nodes.length < 2) this.#start()
    const node = random.pick(nodes.length > 0 ? nodes : this.#nodes)
    this.#befell(node, 'is killed')
    node.crash()
    if (random.chance(0.5)) this.#start()
    over()
  }

  #cutOff(over: () => void): void {
    const node = this.#random.pick(this.#nodes)
    const { link } = node
    if (link.isAway) return over()
    this.#befell(node, 'cannot reach the database')
    link.isAway = true
    this.#time.after(this.#random.between(50, 6_000), undefined, () => {
      this.#befell(node, 'reaches the database again')
      link.comeBack()
      over()
    })
  }

  #close(over: () => void): void {
    const node = this.#random.pick(this.#nodes)
    if (!node.isServing || node.process.heldUp) return over()
    this.#start()
    this.#befell(node, 'is closed')
    node.isClosing = true
    const closed = (): void => {
      if (node.process.isGone) return
      this.#trace(`${node.name} has closed`)
      node.crash()
    }
    const drainMs = this.#random.below(1_000)
    this.#time.after(0, node.process, () => void node.endpoint.close({ drainMs }).then(closed, closed))
    over()
  }

  /** Of a node, and of the sessions that it has. */
  #befell({ link, name }: Node, what: string): void {
    this.#trace(`${name} ${what}`)
    this.#checker.histories.befell(link.nodeName, what)
  }

  #trace(line: string): void {
    this.#time.trace?.(line)
  }
}

/** Messages may be lost, and no command fails: so no call may fail. */
function toCalmFaults(random: Random): Faults {
  return random.chance(0.5) ? noFaults : { ...noFaults, lost: random.between(0, 0.15), doubled: random.between(0, 0.3) }
}

function toFaults(random: Random): Faults {
  return {
    failing: random.chance(0.5) ? random.between(0, 0.12) : 0,
    late: random.chance(0.5) ? random.between(0, 0.06) : 0,
    stuck: random.chance(0.1) ? 0.003 : 0,
    lost: random.chance(0.5) ? random.between(0, 0.5) : 0,
    doubled: random.chance(0.5) ? random.between(0, 0.4) : 0,
  }
}
