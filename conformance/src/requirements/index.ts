import type { Requirement } from '../requirement.ts'
import { afterwardsRequirements } from './afterwards.ts'
import { alwaysRequirements } from './always.ts'
import { answerRequirements } from './answers.ts'
import { authorizationRequirements } from './authorization.ts'
import { cancellationRequirements } from './cancellation.ts'
import { connectionRequirements } from './connections.ts'
import { endpointRequirements } from './endpoint.ts'
import { getStreamRequirements } from './get-stream.ts'
import { habitRequirements } from './habits.ts'
import { lifecycleRequirements } from './lifecycle.ts'
import { limitRequirements } from './limits.ts'
import { modernAlwaysRequirements } from './modern-always.ts'
import { modernAuthorizationRequirements } from './modern-authorization.ts'
import { modernContextRequirements } from './modern-context.ts'
import { modernEndpointRequirements } from './modern-endpoint.ts'
import { modernEraRequirements } from './modern-eras.ts'
import { modernHeaderRequirements } from './modern-headers.ts'
import { modernInputRequirements } from './modern-input.ts'
import { modernOfferRequirements } from './modern-offers.ts'
import { modernParamHeaderRequirements } from './modern-param-headers.ts'
import { modernResourceRequirements } from './modern-resources.ts'
import { modernResultRequirements } from './modern-results.ts'
import { modernStreamRequirements } from './modern-streams.ts'
import { modernSubscriptionRequirements } from './modern-subscriptions.ts'
import { modernVersionRequirements } from './modern-version.ts'
import { nodeRequirements } from './nodes.ts'
import { notificationRequirements } from './notifications.ts'
import { originRequirements } from './origin.ts'
import { postStreamRequirements } from './post-stream.ts'
import { postValidationRequirements } from './post-validation.ts'
import { resourceRequirements } from './resources.ts'
import { resumedCallRequirements } from './resumption-calls.ts'
import { resumedGetStreamRequirements } from './resumption-get-stream.ts'
import { eventIdRequirements } from './resumption-ids.ts'
import { revision20250326Requirements } from './revision-2025-03-26.ts'
import { revision20250618Requirements } from './revision-2025-06-18.ts'
import { sessionRequirements } from './sessions.ts'
import { sseFormatRequirements } from './sse-format.ts'
import { toolListRequirements } from './tool-lists.ts'
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
  ...resumedCallRequirements,
  ...resumedGetStreamRequirements,
  ...eventIdRequirements,
  ...sessionRequirements,
  ...versionHeaderRequirements,
  ...lifecycleRequirements,
  ...cancellationRequirements,
  ...sseFormatRequirements,
  ...limitRequirements,
  ...authorizationRequirements,
  ...modernAuthorizationRequirements,
  ...habitRequirements,
  ...nodeRequirements,
  ...revision20250326Requirements,
  ...revision20250618Requirements,
  ...resourceRequirements,
  ...toolListRequirements,
  ...modernEndpointRequirements,
  ...modernOfferRequirements,
  ...modernResourceRequirements,
  ...modernResultRequirements,
  ...modernVersionRequirements,
  ...modernHeaderRequirements,
  ...modernParamHeaderRequirements,
  ...modernContextRequirements,
  ...modernStreamRequirements,
  ...modernSubscriptionRequirements,
  ...modernInputRequirements,
  ...modernEraRequirements,
  ...alwaysRequirements,
  ...modernAlwaysRequirements,
  ...afterwardsRequirements,
]
