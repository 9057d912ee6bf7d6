import type { Attendance } from '../attendance/attendance.ts'
import type { Bodies } from '../http/bodies.ts'
import type { ResolvedOptions } from '../resolve-options.ts'
import { DualEra } from './dual-era.ts'
import type { Era } from './era.ts'
import { ModernEra } from './modern/modern-era.ts'
import { SessionsEra } from './sessions-era.ts'
import { StatelessEra } from './stateless/stateless-era.ts'

/** The era, or both, that an endpoint with these options serves. */
export function createEra(options: ResolvedOptions & { readonly bodies: Bodies }, attendance: Attendance): Era {
  const { eras, sessions } = options
  if (!eras.includes('2025')) return new ModernEra(options, attendance)
  const era = sessions ? new SessionsEra(options, attendance) : new StatelessEra(options, attendance)
  return eras.includes('2026') ? new DualEra(era, new ModernEra(options, attendance), options) : era
}
