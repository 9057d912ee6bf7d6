import { setFlagsFromString } from 'node:v8'
import type { Random } from './random.ts'

/** A process that time passes for: one that is gone does nothing more, one that is held up does it later. */
export interface Process {
  isGone: boolean
  /** What came due while it stood still, as by SIGSTOP; `undefined` while it runs. */
  heldUp: Task[] | undefined
}

/** Something that happens at a moment. Stands for a timer as well, and so has what those of Node have. */
export class Task {
  at: number
  order: number
  readonly process: Process | undefined
  run: (() => void) | undefined
  /** Of an interval. */
  everyMs: number | undefined

  constructor(at: number, order: number, process: Process | undefined, run: () => void) {
    this.at = at
    this.order = order
    this.process = process
    this.run = run
  }

  unref(): this {
    return this
  }

  ref(): this {
    return this
  }
}

/** The moment is virtual now: what the code under test reads and waits for, comes from here. */
let running: VirtualTime | undefined

/**
 * One run of a simulation: a clock that jumps from one thing that happens to the next. What happens in one step is
 * carried on until every promise that it settled is through, so that nothing depends on how fast the machine is.
 */
export class VirtualTime {
  now = 0
  steps = 0
  readonly random: Random
  /** Receives what happens, where somebody wants to know. */
  trace: ((line: string) => void) | undefined
  /** The process whose code runs. Timers that it sets are its own. */
  current: Process | undefined
  readonly #heap: Task[] = []
  readonly ticks: (() => void)[] = []
  readonly immediates: (() => void)[] = []
  #order = 0
  #numbers = 0

  constructor(random: Random) {
    this.random = random
  }

  /** Something that happens after `ms`, in a process or, without one, outside all of them. */
  after(ms: number, process: Process | undefined, run: () => void): Task {
    return this.at(this.now + ms, process, run)
  }

  /** What is set for the same moment happens in the order in which it was set. */
  at(at: number, process: Process | undefined, run: () => void): Task {
    const task = new Task(at, ++this.#order, process, run)
    this.#push(task)
    return task
  }

  /** Lets happen what is next, until the clock would pass `until` or `isOver` holds. */
  run(until: number, isOver: () => boolean = () => false): void {
    const before = running
    running = this
    try {
      for (let task = this.#heap[0]; task && task.at <= until && !isOver(); task = this.#heap[0]) {
        this.#pop()
        this.now = Math.max(this.now, task.at)
        this.#happen(task)
      }
      this.now = Math.max(this.now, Math.min(until, this.#heap[0]?.at ?? until))
    } finally {
      running = before
    }
  }

  /** Runs code of a process at once, with all that follows from it. */
  enter(process: Process | undefined, work: () => void): void {
    const before = running
    running = this
    this.current = process
    try {
      work()
      this.#settle()
    } finally {
      this.current = undefined
      running = before
    }
  }

  hold(process: Process): void {
    process.heldUp ??= []
  }

  /** What came due meanwhile happens now, in its order: timers and sockets alike. */
  wake(process: Process): void {
    const heldUp = process.heldUp ?? []
    process.heldUp = undefined
    for (const task of heldUp) {
      task.at = this.now
      this.#push(task)
    }
  }

  /** Counts up, for names. */
  number(): number {
    return ++this.#numbers
  }

  uuid(): string {
    return `00000000-0000-4000-8000-${String(this.number()).padStart(12, '0')}`
  }

  #happen(task: Task): void {
    const { process, run } = task
    if (!run || process?.isGone) return
    if (process?.heldUp) return void process.heldUp.push(task)
    this.steps++
    if (task.everyMs === undefined) task.run = undefined
    else {
      task.at = this.now + task.everyMs
      task.order = ++this.#order
      this.#push(task)
    }
    this.current = process
    run()
    this.#settle()
    this.current = undefined
  }

  /** In Node's order: promises and `nextTick` until none is left, then `setImmediate`. */
  #settle(): void {
    for (;;) {
      runMicrotasks()
      if (this.ticks.length > 0) for (const tick of this.ticks.splice(0)) tick()
      else if (this.immediates.length > 0) for (const immediate of this.immediates.splice(0)) immediate()
      else return
    }
  }

  // A binary heap by time, and by order among those of one time.

  #push(task: Task): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(task)
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(task, heap[above] as Task)) break
      heap[at] = heap[above] as Task
      at = above
    }
    heap[at] = task
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop() as Task
    const { length } = heap
    if (length === 0) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= length) break
      if (below + 1 < length && isBefore(heap[below + 1] as Task, heap[below] as Task)) below++
      if (!isBefore(heap[below] as Task, last)) break
      heap[at] = heap[below] as Task
      at = below
    }
    heap[at] = last
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

/** Runs simulations where they must begin: what promises have queued is run by hand, and so not within one. */
export function outsidePromises(work: () => void): void {
  setImmediate(work)
}

// V8 knows no other way to run what promises have queued without leaving the running code; a turn of Node's event loop
// for each step takes twenty times as long.
setFlagsFromString('--allow-natives-syntax')
const runMicrotasks = new Function('%PerformMicrotaskCheckpoint()') as () => void

/** A moment of the wall clock, for the beginning of virtual time. */
const wallStart = 1_750_000_000_000

type Run = (...args: unknown[]) => void

function setTimer(run: Run, ms: number | undefined, args: unknown[], isInterval: boolean): Task {
  const time = running as VirtualTime
  const delay = Math.max(1, ms ?? 1)
  const task = time.after(delay, time.current, args.length > 0 ? () => run(...args) : (run as () => void))
  if (isInterval) task.everyMs = delay
  return task
}

function clearTimer(timer: unknown): boolean {
  if (!(timer instanceof Task)) return false
  timer.run = undefined
  timer.everyMs = undefined
  return true
}

/**
 * Puts virtual time in the place of clocks, timers and random numbers, for as long as a simulation runs; outside they
 * are the platform's own. To be imported before the core, some of which keeps what it finds when it is loaded.
 */
function install(): void {
  const real = {
    now: performance.now.bind(performance),
    dateNow: Date.now,
    setTimeout: globalThis.setTimeout,
    setInterval: globalThis.setInterval,
    clearTimeout: globalThis.clearTimeout,
    clearInterval: globalThis.clearInterval,
    setImmediate: globalThis.setImmediate,
    nextTick: process.nextTick,
    random: Math.random,
    uuid: crypto.randomUUID.bind(crypto),
  }
  const replace = (target: object, name: string, value: unknown): void => {
    Object.defineProperty(target, name, { value, configurable: true, writable: true })
  }
  replace(performance, 'now', () => (running ? running.now : real.now()))
  replace(Date, 'now', () => (running ? wallStart + running.now : real.dateNow()))
  replace(Math, 'random', () => (running ? running.random.next() : real.random()))
  replace(crypto, 'randomUUID', () => (running ? running.uuid() : real.uuid()))
  replace(globalThis, 'setTimeout', (run: Run, ms?: number, ...args: unknown[]) =>
    running ? setTimer(run, ms, args, false) : real.setTimeout(run, ms, ...args),
  )
  replace(globalThis, 'setInterval', (run: Run, ms?: number, ...args: unknown[]) =>
    running ? setTimer(run, ms, args, true) : real.setInterval(run, ms, ...args),
  )
  replace(globalThis, 'clearTimeout', (timer: never) => clearTimer(timer) || real.clearTimeout(timer))
  replace(globalThis, 'clearInterval', (timer: never) => clearTimer(timer) || real.clearInterval(timer))
  replace(globalThis, 'setImmediate', (run: Run, ...args: unknown[]) =>
    running ? running.immediates.push(() => run(...args)) : real.setImmediate(run, ...args),
  )
  replace(process, 'nextTick', (run: Run, ...args: unknown[]) =>
    running ? running.ticks.push(() => run(...args)) : real.nextTick.call(process, run, ...args),
  )
}

install()
