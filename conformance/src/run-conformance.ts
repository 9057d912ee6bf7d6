import { probeTarget } from './client/find-target.ts'
import type { ProbeOptions, Target } from './client/target.ts'
import {
  aBoolean,
  anOptionalFunction,
  checkOptions,
  expected,
  option,
  optional,
  wholeNumber,
  withMethods,
} from './option-checks.ts'
import { probeTable } from './probe-options.ts'
import { countVerdicts, type Report, type Result, type TargetSummary } from './report.ts'
import { Run } from './run.ts'
import { revisionsOf, selectRequirements } from './runner.ts'
import { suite } from './suite.ts'

export interface RunOptions extends ProbeOptions {
  readonly url: string | URL
  /** Ids, or beginnings of ids that end in a slash (`session/`). All by default. */
  readonly only?: readonly string[]
  readonly skip?: readonly string[]
  /** Also runs checks that wait for longer than 5 seconds. @default false */
  readonly slow?: boolean
  /** Also runs checks that could harm a real server: floods, oversize bodies, slow senders. @default false */
  readonly abuse?: boolean
  /**
   * Limit for the whole run, in milliseconds. What has not run by then is `not-run`.
   * @default 60_000, and 300_000 with `slow` or `abuse`; 2,500 round trips to the server come on top
   */
  readonly timeoutMs?: number
  /** Checks at the same time. Those that measure time always run alone. @default 8 */
  readonly concurrency?: number
  /** Ends the run: what has not run by then is `not-run`. */
  readonly signal?: AbortSignal
  /** Called once the server was found, with the number of checks that will run. */
  readonly onStart?: (target: TargetSummary, total: number) => void
  readonly onResult?: (result: Result) => void
}

/**
 * Checks the server at `url`. Rejects with {@link TargetError} when no MCP server answers there, and with `TypeError` when
 * an option is wrong; everything else is in the report.
 */
export async function runConformance(options: RunOptions): Promise<Report> {
  const [startedAt, begun] = [new Date(), performance.now()]
  const { url, only, skip } = checkOptions(optionsTable, options)
  const chosen = selectRequirements(only, skip)
  const target = await probeTarget(url, options)
  const run = new Run(target, options, begun)
  options.onStart?.(summarize(target), run.planned(chosen).length)
  const results = await run.checkAll(chosen)
  return {
    version: 1,
    suite,
    target: summarize(target),
    startedAt: startedAt.toISOString(),
    durationMs: Date.now() - startedAt.getTime(),
    incomplete: run.incomplete,
    counts: countVerdicts(results),
    results,
  }
}

const optionsTable = {
  url: option(undefined, toUrl),
  only: option(undefined, optional(idsOf)),
  skip: option(undefined, optional(idsOf)),
  slow: option(false, aBoolean),
  abuse: option(false, aBoolean),
  timeoutMs: option(undefined, optional(wholeNumber(1))),
  concurrency: option(8, wholeNumber(1)),
  signal: option(undefined, optional(withMethods<AbortSignal>('addEventListener', 'removeEventListener'))),
  onStart: option(undefined, anOptionalFunction<RunOptions['onStart']>()),
  onResult: option(undefined, anOptionalFunction<RunOptions['onResult']>()),
  ...probeTable,
} satisfies Record<keyof RunOptions, unknown>

function toUrl(value: unknown, name: string): URL {
  const parsed = URL.canParse(String(value)) ? new URL(String(value)) : undefined
  if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') return parsed
  throw expected(`${name} to be that of an MCP endpoint, such as http://127.0.0.1:3000/mcp`, value)
}

/** One that is empty was to name something: the run would check nothing, or more than was meant. */
function idsOf(value: unknown, name: string): readonly string[] {
  if (Array.isArray(value) && value.length > 0) return value
  throw expected(`${name} to be an array of at least one id`, value)
}

function summarize(target: Target): TargetSummary {
  const offers = [...target.offers].filter((offer) => !offer.includes(':'))
  return {
    url: target.url.href,
    server: target.server,
    revision: target.offers.has('legacy') ? target.version : null,
    revisions: revisionsOf(target),
    offers,
    roles: Object.fromEntries([...target.roles].map(([role, { tool }]) => [role, tool])),
    miscast: Object.fromEntries(target.miscast),
    candidates: Object.fromEntries(target.candidates),
  }
}
