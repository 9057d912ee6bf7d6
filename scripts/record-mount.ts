import { setTimeout as delay } from 'node:timers/promises'
import { adapterNames, parserNames, type StartOptions, startFixture } from '../conformance/mounts/index.ts'
import { probeTarget } from '../conformance/src/client/find-target.ts'
import type { Target } from '../conformance/src/client/target.ts'
import type { Transcript } from '../conformance/src/client/transcript.ts'
import { areaOf, type Verdict } from '../conformance/src/report.ts'
import type { Requirement } from '../conformance/src/requirement.ts'
import { requirements } from '../conformance/src/requirements/index.ts'
import { checkRequirement } from '../conformance/src/runner.ts'
import { maskMessage, toAnswers, widenMessageIds } from './mask-answers.ts'
import { Received } from './received.ts'
import { unstableAnswers } from './unstable-answers.ts'

/** One way to serve the fixture. */
export interface RecordedMount {
  readonly name: string
  readonly options: StartOptions
  /** Also what is hard on a server: as hard in either shape of answers, so that once is enough. */
  readonly abuse: boolean
}

/** What one check found. */
export interface Recorded {
  readonly verdict: Verdict
  readonly message: string
  /** What it received. */
  readonly answers: readonly string[]
}

/** By requirement. */
export type MountRecording = Readonly<Record<string, Recorded>>

/** Those of the conformance tests. */
export const recordedMounts: readonly RecordedMount[] = [
  ...(['auto', 'sse'] as const).flatMap((response) =>
    adapterNames.flatMap((adapter) =>
      (parserNames.includes(adapter) ? [false, true] : [false]).map((parser) => ({
        name: `${adapter}${parser ? ' behind a body parser' : ''}, response: ${response}`,
        options: { adapter, parser, response },
        abuse: response === 'auto',
      })),
    ),
  ),
  { name: 'node, response: json', options: { response: 'json' }, abuse: true },
  { name: 'node, without sessions', options: { sessions: false }, abuse: true },
]

/** Checks at the same time: most of the time is spent waiting. More, and answers are late enough to become streams. */
const concurrency = 4

/** Limits of what is waited for after a check, in milliseconds: until nothing more comes, and in any case. */
const quietMs = 30
const patienceMs = 2_000

/** Runs the requirements on one mount. */
export async function recordMount({ options, abuse }: RecordedMount): Promise<MountRecording> {
  widenMessageIds()
  const server = await startFixture(options)
  try {
    const target = await probeTarget(new URL(server.url))
    const recorded = new Map<string, Recorded>()
    const record = async (requirement: Requirement) => {
      recorded.set(requirement.id, await recordRequirement(requirement, target))
    }
    const chosen = requirements.filter((requirement) => !requirement.slow && (abuse || !requirement.abuse))
    const isLast = ({ id }: Requirement) => areaOf(id) === 'afterwards'
    const rest = chosen.filter((requirement) => !isLast(requirement))
    const together = rest.filter(({ alone }) => !alone)
    const alone = rest.filter(({ alone }) => alone)
    await inParallel(together, concurrency, record)
    await inParallel(alone, 1, record)
    // On a busy machine an answer may come too late: what was not met may be met alone.
    const unmet = rest.filter(({ id }) => !['pass', 'not-testable'].includes(recorded.get(id)?.verdict ?? ''))
    await inParallel([...unmet, ...chosen.filter(isLast)], 1, record)
    return Object.fromEntries([...recorded].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  } finally {
    await server.close()
  }
}

async function recordRequirement(requirement: Requirement, target: Target): Promise<Recorded> {
  const keep = unstableAnswers[requirement.id]?.keep ?? 'all'
  let answers: string[] = []
  const check: Requirement['check'] = async (context) => {
    const received = new Received()
    listen(context.client.transcript, received)
    try {
      await requirement.check(context)
    } finally {
      await settle(received)
      answers = toAnswers(received, keep)
    }
  }
  const { verdict, message } = await checkRequirement({ ...requirement, check }, target)
  return { verdict, message: maskMessage(message), answers }
}

/** Takes the lines of a transcript, which itself keeps only so many, shortened. */
function listen(transcript: Transcript, received: Received): void {
  const add = transcript.add.bind(transcript)
  transcript.add = (line) => {
    const text = typeof line === 'string' ? line : line()
    received.add(transcript.conceal(text))
    add(text)
  }
}

/** What a check does not wait for may still be on its way when its connections are to be closed. */
async function settle(received: Received): Promise<void> {
  const deadline = performance.now() + patienceMs
  let before: number
  do {
    before = received.size
    await delay(quietMs)
  } while ((received.size > before || received.isWaiting) && performance.now() < deadline)
}

async function inParallel<T>(items: readonly T[], limit: number, run: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  const worker = async () => {
    for (const item of queue) await run(item)
  }
  await Promise.all(Array.from({ length: limit }, worker))
}
