import { accessSync, constants, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Baseline, compareWithBaseline, readBaseline } from '../baseline.ts'
import { type Profile, TargetError } from '../client/target.ts'
import type { Report } from '../report.ts'
import { createProgress, formatSummary, type ReporterName, readReports, reporters } from '../reporters/index.ts'
import type { Revision } from '../requirement.ts'
import type { RoleTool } from '../roles.ts'
import { type RunOptions, runConformance } from '../run-conformance.ts'
import { exitCodes } from './exit-codes.ts'
import { isUrl, type TokenFlags, toCredentials, toUrl } from './flags.ts'

export interface CheckFlags extends TokenFlags {
  tool?: Map<string, RoleTool>
  header?: Record<string, string>
  timeout?: number
  color: boolean
  only?: string[]
  skip?: string[]
  slow?: boolean
  abuse?: boolean
  strict?: boolean
  revision?: Revision
  profile?: Profile
  secondUrl?: string
  baseline?: string
  reporter: ReporterName
  output?: string
  verbose?: boolean
}

const expectedTarget = 'Expected a URL that begins with http:// or https://, or a file'

/** Checks every URL, adds the saved reports, and writes what the reporter makes of them. */
export async function checkTargets(targets: readonly string[], flags: CheckFlags): Promise<number> {
  // What is wrong with the command line shows before the first request.
  const baseline = readBaselineFile(flags.baseline)
  if (flags.output !== undefined) expectWritable(flags.output)
  const planned = targets.map((target) => (isUrl(target) ? toRunOptions(target, flags) : readSaved(target)))
  const { reports, unreachable, mistake } = await carryOut(planned)
  if (reports.length > 0) write(reports, flags, baseline)
  for (const error of unreachable) process.stderr.write(`error: ${error.message}\n`)
  if (mistake !== undefined) throw mistake
  if (unreachable.length > 0) return exitCodes.unreachable
  const hasFailed = reports.some((report) => isFailed(report, baseline, flags.strict === true))
  return hasFailed ? exitCodes.failed : exitCodes.ok
}

interface CarriedOut {
  readonly reports: readonly Report[]
  readonly unreachable: readonly TargetError[]
  /** On the command line, as shows at one of the servers: the last that was asked. */
  readonly mistake?: TypeError
}

/** What goes wrong with one server does not take the reports of others along: some took minutes. */
async function carryOut(planned: readonly (RunOptions | Report[])[]): Promise<CarriedOut> {
  const reports: Report[] = []
  const unreachable: TargetError[] = []
  for (const plan of planned) {
    try {
      if ('url' in plan) reports.push(await run(plan))
      else reports.push(...plan)
    } catch (error) {
      if (error instanceof TypeError) return { reports, unreachable, mistake: error }
      if (!(error instanceof TargetError)) throw error
      unreachable.push(error)
    }
  }
  return { reports, unreachable }
}

/** Several files may be given: what is wrong is said with the name of the one. */
function readSaved(file: string): Report[] {
  const text = readText(file, expectedTarget)
  try {
    return readReports(text)
  } catch (error) {
    throw error instanceof TypeError ? new TypeError(`${file}: ${error.message}`) : error
  }
}

function readBaselineFile(file: string | undefined): Baseline {
  return file === undefined ? new Map() : readBaseline(readText(file, 'Expected --baseline to be a file'))
}

function readText(file: string, expected: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new TypeError(`${expected}: ${toMessage(error)}`)
  }
}

/** A run of a minute is not to end in an error of the file system. */
function expectWritable(file: string): void {
  const folder = dirname(resolve(file))
  if (!existsSync(folder)) throw new TypeError(`Expected the folder of --output to exist, there is no ${folder}`)
  if (!existsSync(file)) return tryAccess(folder)
  if (statSync(file).isDirectory()) throw new TypeError(`Expected --output to be a file, ${file} is a folder`)
  tryAccess(file)
}

function tryAccess(path: string): void {
  try {
    accessSync(path, constants.W_OK)
  } catch (error) {
    throw new TypeError(`Expected --output to be a file that can be written: ${toMessage(error)}`)
  }
}

function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function toRunOptions(target: string, flags: CheckFlags): RunOptions {
  const { only, skip, slow, abuse, revision, profile } = flags
  const options: RunOptions = {
    url: toUrl(target),
    ...(flags.tool && { roles: flags.tool }),
    ...(flags.header && { headers: flags.header }),
    credentials: toCredentials(flags),
    ...(only && { only }),
    ...(skip && { skip }),
    ...(slow && { slow }),
    ...(abuse && { abuse }),
    ...(revision && { revision }),
    ...(profile && { profile }),
    ...(flags.timeout !== undefined && { timeoutMs: flags.timeout }),
    ...(flags.secondUrl !== undefined && { secondUrl: toUrl(flags.secondUrl) }),
  }
  return options
}

/** Runs with progress on stderr, so that stdout has the report and nothing else. Ctrl-C ends it with what is known. */
async function run(options: RunOptions): Promise<Report> {
  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort(new Error('interrupted'))
  process.once('SIGINT', interrupt)
  let progress: ReturnType<typeof createProgress> | undefined
  try {
    return await runConformance({
      ...options,
      signal: interrupted.signal,
      onStart: ({ url }, total) => {
        progress = createProgress({ stream: process.stderr, isTty: process.stderr.isTTY === true, total, url })
      },
      onResult: (result) => progress?.result(result),
    })
  } finally {
    progress?.stop()
    process.removeListener('SIGINT', interrupt)
  }
}

function write(reports: readonly Report[], flags: CheckFlags, baseline: Baseline): void {
  const { reporter, output, strict = false, verbose = false } = flags
  const isColored = flags.color && process.stdout.isTTY === true && process.env.NO_COLOR === undefined
  // A terminal of no columns is one whose size is not known.
  const { columns = 0 } = process.stdout
  const options = { strict, verbose, baseline, ...(columns > 0 && { width: columns }) }
  const colored = { ...options, color: isColored }
  if (output === undefined) {
    process.stdout.write(reporters[reporter](reports, reporter === 'terminal' ? colored : options))
  } else {
    writeFileSync(output, reporters[reporter](reports, options))
    process.stdout.write(`${formatSummary(reports, colored)}\nThe whole report is in ${output} (${reporter}).\n`)
  }
}

function isFailed(report: Report, baseline: Baseline, strict: boolean): boolean {
  const { failed, stale } = compareWithBaseline(report, baseline, strict)
  return failed.length > 0 || stale.length > 0 || report.incomplete !== ''
}
