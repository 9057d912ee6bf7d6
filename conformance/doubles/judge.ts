import { probeTarget } from '../src/client/find-target.ts'
import type { ProbeOptions, Target } from '../src/client/target.ts'
import { Witness } from '../src/client/witness.ts'
import type { Result } from '../src/report.ts'
import type { Requirement } from '../src/requirement.ts'
import { requirements } from '../src/requirements/index.ts'
import { checkRequirement } from '../src/runner.ts'
import { issueTokens } from './auth.ts'
import type { Double } from './doubles.ts'
import { type ReferenceOptions, type ReferenceServer, startReferenceServer } from './reference-server.ts'

/** Checks that take most of the time of a run: they are run beside fewer others. */
export const laborious: ReadonlySet<string> = new Set([
  'post/huge-values-do-no-harm',
  'post-stream/large-result-survives',
  'connections/many-sessions-get-their-own-answers',
  'resume/random-disconnects-lose-nothing',
  'resume/random-disconnects-while-listening-lose-nothing',
  'resume/response-outlives-a-flood',
  'cancel/race-with-the-end-is-survived',
  'limits/gzip-bomb-is-refused',
  'limits/one-mebibyte-is-accepted',
  ...requirements.filter(({ slow }) => slow).map(({ id }) => id),
])

interface Setup {
  readonly start: ReferenceOptions
  readonly probe: ProbeOptions
}

/** How the server is started for doubles of some sections, where they need more than a plain one. */
const setups: Readonly<Record<string, Setup>> = {
  auth: { start: { auth: true }, probe: { credentials: issueTokens() } },
  stateless: { start: { stateless: true }, probe: {} },
  'modern-only': { start: { modernOnly: true }, probe: {} },
  http2: { start: { http2: true }, probe: {} },
}

/**
 * What the correct server offers, as it is started for a section. A double is judged by it, so that no defect makes a
 * check untestable.
 */
export async function probeReference(section = ''): Promise<Target> {
  const server = await startReferenceServer(setups[section]?.start)
  try {
    return await probeTarget(new URL(server.url), { ...setups[section]?.probe, secondUrl: secondNode(server.url) })
  } finally {
    await server.close()
  }
}

/** The same server under another URL: what it keeps, its nodes share. */
function secondNode(url: string): URL {
  return new URL(`${url}?node=2`)
}

/** Runs checks against a double. Gives what speaks against it: its own check passes, or another one fails. */
export async function judge(double: Double, checks: readonly Requirement[], target: Target): Promise<string[]> {
  return await withDouble(double, async ({ url }) => {
    const complaints: string[] = []
    for (const requirement of checks) {
      const own = { ...target, url: new URL(url), secondUrl: secondNode(url), witness: new Witness() }
      const result = await checkRequirement(requirement, own)
      const complaint = complain(double, result)
      if (complaint !== undefined) complaints.push(complaint)
    }
    return complaints
  })
}

/** What is wrong about one result of a double; `undefined` when it is as it should be. */
export function complain({ requirement, defect, alsoFails, spoilsAll }: Double, result: Result): string | undefined {
  const { id, verdict, message } = result
  const isMet = verdict === 'pass' || verdict.startsWith('not-')
  if (id === requirement) return isMet ? `${defect} is not caught by its check ${id}: ${verdict} ${message}` : undefined
  // What holds everywhere is broken by whatever breaks it somewhere.
  if (isMet || sectionOf(id) === 'always' || spoilsAll !== undefined || id in alsoFails) return undefined
  return `${defect} also fails ${id}: ${message.slice(0, 300)}`
}

/** Each double has a server of its own, so that nothing of one is left for the next. */
export async function withDouble<T>(
  { defect, requirement }: Double,
  use: (server: ReferenceServer) => Promise<T>,
): Promise<T> {
  const server = await startReferenceServer({
    ...setups[sectionOf(requirement)]?.start,
    defects: new Set([defect]),
  })
  try {
    return await use(server)
  } finally {
    await server.close()
  }
}

/** What each of these doubles is judged by. */
export async function probeFor(doubles: readonly Double[]): Promise<(double: Double) => Target> {
  const plain = await probeReference()
  const special = new Map<string, Target>()
  for (const section of new Set(doubles.map(({ requirement }) => sectionOf(requirement)))) {
    if (section in setups) special.set(section, await probeReference(section))
  }
  return ({ requirement }) => special.get(sectionOf(requirement)) ?? plain
}

export function sectionOf(requirementId: string): string {
  return requirementId.split('/')[0] ?? ''
}

/** Of the same section. */
export function isNear(requirementId: string, { requirement }: Double): boolean {
  return sectionOf(requirementId) === sectionOf(requirement)
}
