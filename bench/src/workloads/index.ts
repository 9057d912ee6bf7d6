import type { WorkloadName } from '../targets/target.ts'
import { calls, guards } from './calls.ts'
import { changes } from './changes.ts'
import { abandoned, churn } from './churn.ts'
import { idle } from './idle.ts'
import { large } from './large.ts'
import { listen } from './listen.ts'
import { notify } from './notify.ts'
import { parked } from './parked.ts'
import { progress } from './progress.ts'
import { resume } from './resume.ts'
import type { Workload } from './workload.ts'

export const workloads: Readonly<Record<WorkloadName, Workload>> = {
  W1: calls,
  W2: churn,
  W3: idle,
  W4: progress,
  W5: large,
  W6: resume,
  W7: parked,
  W8: notify,
  W9: guards,
  W10: abandoned,
  W12: listen,
  W12B: changes,
}

export const workloadNames = Object.keys(workloads) as WorkloadName[]
