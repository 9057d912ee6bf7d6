import type { Random } from '../random.ts'
import type { Events, Script, Step } from '../script.ts'

const methods = ['elicitation/create', 'sampling/createMessage', 'roots/list'] as const

/** A call as a well-behaved client makes it: a little of everything. */
export function pickScript(random: Random, call: string): Script {
  const steps = Array.from({ length: random.int(0, 5) }, () => pickStep(random))
  return { call, steps, answerSize: pickSize(random) }
}

/** Ends at once, or sends little. */
export function pickSmallScript(random: Random, call: string): Script {
  const events: Events = { count: random.int(0, 3), size: random.int(0, 300), paceMs: 0, awaited: true }
  return { call, steps: [{ do: 'report', kind: 'message', events }], answerSize: random.int(0, 2_000) }
}

/** Far more than a reader takes at once; seldom more than is kept. */
export function pickFloodScript(random: Random, call: string): Script {
  const kind = random.pick(['progress', 'message'] as const)
  const isBeyondLog = random.chance(0.15)
  const size = isBeyondLog ? 50 : random.pick([100, 500, 3_000])
  const count = isBeyondLog ? 12_000 : Math.round(1_000_000 / (size + 200))
  const events: Events = { count, size, paceMs: 0, awaited: random.chance(0.6) }
  const step: Step = random.chance(0.5) ? { do: 'report', kind, events } : { do: 'push', events }
  return { call, steps: [step, { do: 'sleep', ms: random.int(0, 300) }], answerSize: pickSize(random) }
}

export function pickAsk(random: Random, timeoutMs: number): Step {
  const method = random.pick(methods)
  if (random.chance(0.7)) return { do: 'ask', on: 'call', method, timeoutMs }
  // Nobody may be on the standalone stream to hear it.
  return { do: 'ask', on: 'standalone', method, timeoutMs: Math.min(timeoutMs, 1_500) }
}

function pickStep(random: Random): Step {
  const name = random.weighted({ report: 6, push: 4, ask: 3, sleep: 3, poll: 2, 'poll-standalone': 1 })
  if (name === 'report') return { do: name, kind: random.pick(['progress', 'message']), events: pickEvents(random) }
  if (name === 'push') return { do: name, events: pickEvents(random) }
  if (name === 'sleep') return { do: name, ms: random.int(0, 1_200) }
  if (name === 'ask') return pickAsk(random, 8_000)
  return { do: name }
}

function pickEvents(random: Random): Events {
  const isLarge = random.chance(0.05)
  return {
    count: isLarge ? random.int(1, 10) : random.int(1, 40),
    size: isLarge ? random.int(20_000, 300_000) : random.int(0, 2_000),
    paceMs: random.pick([0, 0, 1, 20]),
    awaited: random.chance(0.8),
  }
}

function pickSize(random: Random): number {
  const kind = random.weighted({ none: 2, small: 5, large: 2, huge: 0.2 })
  if (kind === 'small') return random.int(1, 2_000)
  return { none: 0, large: random.int(20_000, 300_000), huge: 2_000_000 }[kind]
}
