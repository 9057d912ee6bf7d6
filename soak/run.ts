import { setTimeout as sleep } from 'node:timers/promises'
import type { AdapterName } from '../conformance/mounts/index.ts'
import { type Fault, Ledger } from './check/ledger.ts'
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

const figuresMs = 10_000
/** What the heap may have grown by. */
const heapTolerance = 0.1

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
    const { runMs, warmUpMs, breakage, mount, print } = this.#options
    const died = this.#server.exited.then((how) => this.#ledger.fault('died', `The server's process ended: ${how}`))
    const going = this.#go(runMs, warmUpMs, breakage)
    await Promise.race([going, died])
    going.catch(() => undefined)
    print(`${mount} end: ${this.#ledger}`)
    return this.#ledger
  }

  async #go(runMs: number, warmUpMs: number, breakage: Breakage | undefined): Promise<void> {
    const { mount, print } = this.#options
    await this.#load(warmUpMs)
    const before = await this.#drain()
    print(`${mount} warm: heap ${toMegabytes(before.heap)}`)
    await this.#server.request('break', breakage)
    await this.#load(runMs)
    const after = await this.#drain()
    this.#compareHeaps(before.heap, after.heap)
    this.#judge(await this.#server.request('close'))
  }

  async #load(ms: number): Promise<void> {
    const { bail, clients, only, hungAfterMs, mount, onFault, print } = this.#options
    const stop = new AbortController()
    const timer = setTimeout(() => stop.abort(), ms)
    const world: World = {
      url: this.#server.url,
      ledger: this.#ledger,
      deadlines: this.#deadlines,
      hungAfterMs,
      stopped: stop.signal,
      nextName: () => `client-${++this.#names}`,
    }
    this.#ledger.onFault = (fault) => {
      onFault?.(fault)
      if (bail) stop.abort()
    }
    const figures = setInterval(() => void this.#printFigures().catch(() => undefined), figuresMs)
    if (ms > 0) await populate(world, this.#random.fork(this.#names), { clients, only })
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
    const held = toHeld(look)
    if (held !== '') this.#ledger.fault('held', `After all sessions are over: ${held}`)
    return this.#server.request('settle')
  }

  #compareHeaps(before: number, after: number): void {
    const growth = after / before - 1
    const text = `heap ${toMegabytes(before)} after warm-up, ${toMegabytes(after)} at the end, ${(growth * 100).toFixed(1)} %`
    this.#options.print(`${this.#options.mount} ${text}`)
    if (growth > heapTolerance) this.#ledger.fault('heap', text)
  }

  #judge(closed: Look): void {
    const held = toHeld(closed)
    if (held !== '') this.#ledger.fault('held', `After close: ${held}`)
    for (const text of closed.stray) this.#ledger.fault('rejection', text)
    for (const text of closed.errors) this.#ledger.fault('error', text)
    for (const text of closed.foreignAnswers) this.#ledger.fault('foreign', text)
  }
}

/** What is not 0, as text. */
function toHeld({ stats, sockets }: Look): string {
  const { undeliveredMessages: _said, log, ...counts } = stats
  const all = {
    ...counts,
    sockets,
    ...Object.fromEntries(Object.entries(log).map(([name, count]) => [`log.${name}`, count])),
  }
  const held = Object.entries(all).filter(([, count]) => count !== 0)
  return held.map(([name, count]) => `${name} ${count}`).join(', ')
}

function toMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
