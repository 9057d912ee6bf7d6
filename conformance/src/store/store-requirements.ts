import { busContract } from './contract/bus.ts'
import { eventsAppend } from './contract/events-append.ts'
import { eventsBudget } from './contract/events-budget.ts'
import { eventsFaults } from './contract/events-faults.ts'
import { eventsFencing } from './contract/events-fencing.ts'
import { eventsFrom } from './contract/events-from.ts'
import { eventsLifetime } from './contract/events-lifetime.ts'
import { eventsPages } from './contract/events-pages.ts'
import { eventsPublished } from './contract/events-published.ts'
import { sessionsExpiry } from './contract/sessions-expiry.ts'
import { sessionsFaults } from './contract/sessions-faults.ts'
import { sessionsJson } from './contract/sessions-json.ts'
import { sessionsLeases } from './contract/sessions-leases.ts'
import { sessionsList } from './contract/sessions-list.ts'
import { sessionsOwner } from './contract/sessions-owner.ts'
import { sessionsRecords } from './contract/sessions-records.ts'
import type { StoreRequirement } from './store-requirement.ts'

/** The contract of {@link SessionStore}, {@link EventLog} and {@link MessageBus}, one sentence each. */
export const storeRequirements: readonly StoreRequirement[] = [
  ...sessionsRecords,
  ...sessionsJson,
  ...sessionsExpiry,
  ...sessionsOwner,
  ...sessionsLeases,
  ...sessionsList,
  ...sessionsFaults,
  ...eventsAppend,
  ...eventsPages,
  ...eventsFrom,
  ...eventsPublished,
  ...eventsLifetime,
  ...eventsFencing,
  ...eventsFaults,
  ...eventsBudget,
  ...busContract,
]
