import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AdapterName } from '../conformance/mounts/index.ts'
import { type Fault, Ledger } from './check/ledger.ts'
import { judgeErrors, judgeHeap, judgeHeld, toHeld, toMegabytes } from './check/verdict.ts'
import { type BehaviourName, populate } from './clients/population.ts'
import type { World } from './clients/world.ts'
import { Random } from './random.ts'
import type { Breakage } from './server/breakage.ts'
import { type Deadlines, type Look, shortDeadlines } from './server/commands.ts'
import { ServerProcess } from './server/server-process.ts'

export interface RunOptions {
  readonly mount: AdapterName
  readonly seed: number
  /** How long clients come, beside the warm-up. */
  readonly runMs: number
  readonly warmUpMs: number
  readonly clients: number
  readonly only?: readonly BehaviourName[] | undefined
  readonly hungAfterMs: number
  readonly deadlines?: Deadlines
  /** Makes the server misbehave, after the warm-up. */
  readonly breakage?: Breakage | undefined
  /** Ends the run with the first fault. */
  readonly bail?: boolean
  readonly print: (line: string) => void
  /** Called with every fault, as it is found. */
  readonly onFault?: (fault: Fault) => void
}

/** What a client may wait for, one thing after the other, when no new behaviour begins. */
const gracePeriods = 3
const figuresMs = 10_000

/** One mount: a server in a process of its own, clients, and what was found. */
export async function run(options: RunOptions): Promise<Ledger> {
  const settings = { mount: options.mount, deadlines: options.deadlines ?? shortDeadlines }
  const server = await ServerProcess.start(settings)
  try {
    return await new Run(server, settings.deadlines, options).run()
  } finally {
    await server.stop()
  }
}

class Run {
  readonly #server: ServerProcess
  readonly #deadlines: Deadlines
  readonly #options: RunOptions
  readonly #ledger = new Ledger()
  readonly #random: Random
  #names = 0

  constructor(server: ServerProcess, deadlines: Deadlines, options: RunOptions) {
    this.#server = server
    this.#deadlines = deadlines
    this.#options = options
    this.#random = new Random(options.seed)
  }

  async run(): Promise<Ledger> {
    const died = this.#server.exited.then((how) => `The server's process ended: ${how}`)
    const failure = await Promise.race([this.#go().catch(String), died])
    if (failure !== undefined) this.#ledger.fault('died', failure)
    return this.#ledger
  }

  async #go(): Promise<undefined> {
    const { runMs, warmUpMs, breakage, mount, print } = this.#options
    await this.#load(warmUpMs, this.#random.fork(0))
    const before = await this.#drain()
    print(`${mount} warm: heap ${toMegabytes(before.heap)}`)
    await this.#server.request('break', breakage)
    await this.#load(runMs, this.#random.fork(1))
    const after = await this.#drain()
    print(`${mount} ${judgeHeap(this.#ledger, before.heap, after.heap)}`)
    print(`${mount} longest pause of the server: ${after.longestPauseMs} ms`)
    const closed = await this.#server.request('close')
    judgeHeld(this.#ledger, 'After close', closed)
    judgeErrors(this.#ledger, closed)
  }

  async #load(ms: number, random: Random): Promise<void> {
    const { bail, clients, only, hungAfterMs, mount, onFault, print } = this.#options
    const stop = new AbortController()
    const timer = setTimeout(() => stop.abort(), ms)
    const world: World = {
      url: this.#server.url,
      ledger: this.#ledger,
      deadlines: this.#deadlines,
      hungAfterMs,
      stopped: stop.signal,
      present: new Set(),
      nextName: () => `client-${++this.#names}`,
    }
    this.#ledger.onFault = (fault) => {
      onFault?.(fault)
      if (bail) stop.abort()
    }
    const figures = setInterval(() => void this.#printFigures().catch(() => undefined), figuresMs)
    const population = populate(world, random, { clients, only })
    await Promise.race([population, overdue(world)])
    for (const { name, transcript } of world.present) this.#ledger.fault('hung', `${name} has not left`, transcript)
    clearTimeout(timer)
    clearInterval(figures)
    print(`${mount} clients have left`)
  }

  async #printFigures(): Promise<void> {
    const { mount, print } = this.#options
    const { stats, sockets, heap } = await this.#server.request('look')
    const { sessions, connections, calls, questions, log } = stats
    const held = `sessions ${sessions} connections ${connections} calls ${calls} questions ${questions} sockets ${sockets}`
    print(`${mount} ${this.#ledger} | now: ${held} log ${toMegabytes(log.bytes)} heap ${toMegabytes(heap)}`)
  }

  /** Waits until the sessions that were left are over; what is still there then is held. */
  async #drain(): Promise<Look> {
    const { sessionIdleMs, abandonAfterMs, stallMs } = this.#deadlines
    const until = performance.now() + 2 * (sessionIdleMs + abandonAfterMs + stallMs) + 5_000
    let look = await this.#server.request('look')
    while (toHeld(look) !== '' && performance.now() < until) {
      await sleep(100)
      look = await this.#server.request('look')
    }
    judgeHeld(this.#ledger, 'After all sessions are over', look)
    return this.#server.request('settle')
  }
}

/** After the stop every client has an end in sight: whoever waits for anything gives it up in time. */
async function overdue({ stopped, hungAfterMs }: World): Promise<void> {
  await once(stopped, 'abort')
  await sleep(hungAfterMs * gracePeriods, undefined, { ref: false })
}
