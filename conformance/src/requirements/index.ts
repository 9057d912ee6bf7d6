import type { Requirement } from '../requirement.ts'
import { answerRequirements } from './answers.ts'
import { cancellationRequirements } from './cancellation.ts'
import { connectionRequirements } from './connections.ts'
import { endpointRequirements } from './endpoint.ts'
import { getStreamRequirements } from './get-stream.ts'
import { lifecycleRequirements } from './lifecycle.ts'
import { limitRequirements } from './limits.ts'
import { notificationRequirements } from './notifications.ts'
import { originRequirements } from './origin.ts'
import { postStreamRequirements } from './post-stream.ts'
import { postValidationRequirements } from './post-validation.ts'
import { resumptionRequirements } from './resumption.ts'
import { revision20250326Requirements } from './revision-2025-03-26.ts'
import { revision20250618Requirements } from './revision-2025-06-18.ts'
import { sessionRequirements } from './sessions.ts'
import { sseFormatRequirements } from './sse-format.ts'
import { versionHeaderRequirements } from './version-header.ts'

/** Every requirement, in the order of the catalogue. */
export const requirements: readonly Requirement[] = [
  ...endpointRequirements,
  ...originRequirements,
  ...postValidationRequirements,
  ...notificationRequirements,
  ...answerRequirements,
  ...postStreamRequirements,
  ...getStreamRequirements,
  ...connectionRequirements,
  ...resumptionRequirements,
  ...sessionRequirements,
  ...versionHeaderRequirements,
  ...lifecycleRequirements,
  ...cancellationRequirements,
  ...sseFormatRequirements,
  ...limitRequirements,
  ...revision20250326Requirements,
  ...revision20250618Requirements,
]
