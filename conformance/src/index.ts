export type { CheckContext } from './client/context.ts'
export { probeTarget } from './client/find-target.ts'
export type { Credentials, ProbeOptions, Profile, Target } from './client/target.ts'
export { TargetError } from './client/target.ts'
export type { Counts, Report, Result, TargetSummary, Verdict } from './report.ts'
export type { Level, Need, Requirement, RequirementDefinition, Revision } from './requirement.ts'
export { requirement, revisions } from './requirement.ts'
export { requirements } from './requirements/index.ts'
export { unobservable } from './requirements/unobservable.ts'
export { type Role, type RoleTool, roles } from './roles.ts'
export { type RunOptions, runConformance } from './run-conformance.ts'
export { checkRequirement } from './runner.ts'
export {
  checkStoreRequirement,
  type FaultProxy,
  type FaultProxyOptions,
  type OpenStore,
  openFaultProxy,
  type StoreFaults,
  type StoreNeed,
  type StoreOptions,
  type StoreOracle,
  type StorePart,
  type StoreRequirement,
  type StoreResult,
  type StoreUnderTest,
  storeRequirements,
} from './store/index.ts'
