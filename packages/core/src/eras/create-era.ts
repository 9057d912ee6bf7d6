import type { Attendance } from '../attendance/attendance.ts'
import type { Bodies } from '../http/bodies.ts'
import type { ResolvedOptions } from '../options.ts'
import type { Era } from './era.ts'
import { SessionsEra } from './sessions-era.ts'
import { StatelessEra } from './stateless/stateless-era.ts'

/** The era that an endpoint with these options serves. */
export function createEra(options: ResolvedOptions & { readonly bodies: Bodies }, attendance: Attendance): Era {
  return options.sessions ? new SessionsEra(options, attendance) : new StatelessEra(options, attendance)
}
