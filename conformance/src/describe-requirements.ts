import { afterAll, beforeAll, describe, test } from 'vitest'
import { probeTarget, type Target } from './client/target.ts'
import type { Revision } from './requirement.ts'
import { requirements } from './requirements/index.ts'
import { checkRequirement, type Result } from './runner.ts'

export interface RunningServer {
  /** Where the endpoint is. */
  readonly url: string
  close(): Promise<void>
}

export interface Exclusion {
  readonly id: string
  readonly reason: string
}

export interface DescribeOptions {
  /** Starts the server under test. */
  start(): Promise<RunningServer>
  /** Requirements that this server is known not to meet, or cannot show. One that passes anyway fails the test. */
  readonly exclude?: readonly Exclusion[]
  /** `true`: a requirement that cannot be tested, and is not excluded, fails instead of being skipped. @default false */
  readonly strict?: boolean
  readonly version?: Revision
}

/** Makes one vitest test of each requirement. */
export function describeRequirements(name: string, options: DescribeOptions): void {
  describe(name, () => {
    let server: RunningServer | undefined
    let target: Target | undefined

    beforeAll(async () => {
      server = await options.start()
      target = await probeTarget(
        new URL(server.url),
        options.version === undefined ? {} : { revision: options.version },
      )
    })
    afterAll(() => server?.close())

    const reasons = new Map(options.exclude?.map(({ id, reason }) => [id, reason]))
    for (const id of reasons.keys()) {
      if (!requirements.some((requirement) => requirement.id === id)) throw new Error(`No requirement is named ${id}`)
    }
    for (const requirement of requirements) {
      const run = requirement.alone ? test : test.concurrent
      run(requirement.id, { timeout: 30_000 }, async ({ skip }) => {
        if (target === undefined) throw new Error('The server did not start')
        const result = await checkRequirement(requirement, target)
        const reason = reasons.get(requirement.id)
        if (reason !== undefined) expectExcluded(result, reason)
        else if (result.verdict === 'not-testable' && options.strict !== true) skip(result.message)
        else if (result.verdict !== 'pass') throw new Error(explain(result))
      })
    }
  })
}

function expectExcluded(result: Result, reason: string): void {
  if (result.verdict === 'pass') throw new Error(`Exclusion no longer needed: it passes. Its reason was: ${reason}`)
}

function explain({ level, message, transcript }: Result): string {
  return `${level}: ${message}\n${transcript}`
}
