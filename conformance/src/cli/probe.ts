import { formatDeployment, probeDeployment } from '../probe/index.ts'
import type { RoleTool } from '../roles.ts'
import { exitCodes } from './exit-codes.ts'
import { toUrl } from './flags.ts'

export interface ProbeFlags {
  tool?: Map<string, RoleTool>
  header?: Record<string, string>
  token?: string
  timeout?: number
  idle: number
  json?: boolean
  color: boolean
}

/** Looks at what stands before the server, and prints it. */
export async function probeTargetUrl(url: string, flags: ProbeFlags): Promise<number> {
  const timeUp = flags.timeout === undefined ? undefined : AbortSignal.timeout(flags.timeout)
  const report = await probeDeployment({
    url: toUrl(url),
    idleMs: flags.idle,
    ...(flags.tool !== undefined && { tools: flags.tool }),
    ...(flags.header !== undefined && { headers: flags.header }),
    ...(flags.token !== undefined && { token: flags.token }),
    ...(timeUp !== undefined && { signal: timeUp }),
  })
  const color = flags.color && process.stdout.isTTY === true && process.env.NO_COLOR === undefined
  process.stdout.write(flags.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatDeployment(report, { color }))
  const { findings } = report
  if (findings.some(({ id, verdict }) => id === 'reach' && verdict === 'problem')) return exitCodes.unreachable
  return findings.some(({ verdict }) => verdict === 'problem') ? exitCodes.failed : exitCodes.ok
}
