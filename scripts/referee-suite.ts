import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, runNode } from './referee-child.ts'

/** How the server answers. With `json` the suite cannot pass. */
export type Shape = 'auto' | 'sse'

/** One way to run one version of the official suite. */
export interface Suite {
  readonly version: string
  readonly args: readonly string[]
  /** Checks on a full pass, measured. Fewer means that some never ran: a plain JSON answer turns one into mere information. */
  readonly checks: Readonly<Record<Shape, number>>
  /** Scenarios of an extension that the fixture does not declare, and that the suite runs all the same, unscored. */
  readonly extension?: string
}

export const suites: readonly Suite[] = [
  { version: '0.1.16', args: ['--suite', 'all'], checks: { auto: 46, sse: 47 } },
  { version: '0.2.0-alpha.12', args: ['--requirements', '2025-11-25'], checks: { auto: 83, sse: 84 } },
  {
    version: '0.2.0-alpha.12',
    args: ['--requirements', '2026-07-28'],
    checks: { auto: 152, sse: 153 },
    extension: 'tasks-',
  },
]

export interface Finding {
  readonly scenario: string
  readonly id: string
  readonly status: string
  readonly message: string
}

export interface Verdict {
  readonly passed: number
  readonly total: number
  readonly warnings: number
  /** Every check that is neither a success nor mere information. */
  readonly findings: readonly Finding[]
  /** What was wrong with the run itself. */
  readonly trouble: readonly string[]
}

// A run takes some 5 s. 0.1.16 has no timeout of its own.
const runTimeoutMs = 300_000

/** Runs a suite against a server and reads what it found. */
export async function runSuite(suite: Suite, url: string, shape: Shape): Promise<Verdict> {
  const directory = await mkdtemp(join(tmpdir(), 'referee-'))
  try {
    const cli = join(root, 'node_modules', `conformance-${suite.version}`, 'dist', 'index.js')
    const hook = new URL('./referee-hook.mjs', import.meta.url).href
    const args = ['--import', hook, cli, 'server', '--url', url, ...suite.args, '-o', directory]
    const crash = await runNode(args, runTimeoutMs)
    const findings = await readFindings(directory)
    const { extension } = suite
    const judged = findings.filter(({ scenario }) => extension === undefined || !scenario.startsWith(extension))
    return toVerdict(suite.checks[shape], judged, crash)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function toVerdict(expected: number, findings: readonly Finding[], crash: string | undefined): Verdict {
  const passed = count(findings, 'SUCCESS')
  const ran = passed + count(findings, 'FAILURE')
  const trouble = crash === undefined ? [] : [crash]
  if (ran < expected) trouble.push(`expected ${expected} checks, ${ran} ran`)
  return {
    passed,
    total: Math.max(expected, ran),
    warnings: count(findings, 'WARNING'),
    findings: findings.filter(({ status }) => status !== 'SUCCESS' && status !== 'INFO'),
    trouble,
  }
}

function count(findings: readonly Finding[], status: string): number {
  return findings.filter((finding) => finding.status === status).length
}

/** Reads the `checks.json` of every scenario. */
async function readFindings(directory: string): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const name of await readdir(directory)) {
    const scenario = name.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, '')
    const checks: unknown = JSON.parse(await readFile(join(directory, name, 'checks.json'), 'utf8'))
    if (!Array.isArray(checks)) throw new Error(`Expected an array in checks.json of ${scenario}`)
    for (const check of checks) findings.push(toFinding(scenario, check))
  }
  return findings
}

function toFinding(scenario: string, check: Readonly<Record<string, unknown>>): Finding {
  const message = check.errorMessage ?? check.description
  return { scenario, id: String(check.id), status: String(check.status), message: String(message) }
}
