import { probeTarget, type Target } from '../src/client/target.ts'
import type { Requirement } from '../src/requirement.ts'
import { checkRequirement, type Result } from '../src/runner.ts'
import type { Double } from './doubles.ts'
import { type ReferenceServer, startReferenceServer } from './reference-server.ts'

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
])

/** What the correct server offers. A double is judged by it, so that no defect makes a check untestable. */
export async function probeReference(): Promise<Target> {
  const server = await startReferenceServer()
  try {
    return await probeTarget(new URL(server.url))
  } finally {
    await server.close()
  }
}

/** Runs checks against a double. Gives what speaks against it: its own check passes, or another one fails. */
export async function judge(double: Double, checks: readonly Requirement[], target: Target): Promise<string[]> {
  return await withDouble(double, async ({ url }) => {
    const complaints: string[] = []
    for (const requirement of checks) {
      const result = await checkRequirement(requirement, { ...target, url: new URL(url) })
      const complaint = complain(double, result)
      if (complaint !== undefined) complaints.push(complaint)
    }
    return complaints
  })
}

/** What is wrong about one result of a double; `undefined` when it is as it should be. */
export function complain({ requirement, defect, alsoFails, spoilsAll }: Double, result: Result): string | undefined {
  const { id, verdict, message } = result
  const isMet = verdict === 'pass' || verdict === 'not-testable'
  if (id === requirement) return isMet ? `${defect} is not caught by its check ${id}: ${verdict} ${message}` : undefined
  if (isMet || spoilsAll !== undefined || id in alsoFails) return undefined
  return `${defect} also fails ${id}: ${message.slice(0, 300)}`
}

/** Each double has a server of its own, so that nothing of one is left for the next. */
export async function withDouble<T>({ defect }: Double, use: (server: ReferenceServer) => Promise<T>): Promise<T> {
  const server = await startReferenceServer({ defects: new Set([defect]) })
  try {
    return await use(server)
  } finally {
    await server.close()
  }
}

export function sectionOf(requirementId: string): string {
  return requirementId.split('/')[0] ?? ''
}

/** Of the same section. */
export function isNear(requirementId: string, { requirement }: Double): boolean {
  return sectionOf(requirementId) === sectionOf(requirement)
}
