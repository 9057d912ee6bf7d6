import type { HeaderChanges } from './client/http.ts'
import { isObject } from './client/json-rpc.ts'
import { type Credentials, type ProbeOptions, type Profile, profiles } from './client/target.ts'
import { aText, checkOptions, expected, oneOf, option, optional } from './option-checks.ts'
import { revisions } from './requirement.ts'
import { isRole, type RoleTools, roleNames } from './roles.ts'

/** The checks of what whoever checks a server says about it. */
export const probeTable = {
  revision: option(undefined, optional(oneOf(...revisions))),
  profile: option(undefined, optional(oneOf(...(Object.keys(profiles) as Profile[])))),
  roles: option(undefined, optional(toRoles)),
  headers: option(undefined, optional(toHeaders)),
  credentials: option(undefined, optional(toCredentials)),
  secondUrl: option(undefined, optional(toUrl)),
} satisfies Record<keyof ProbeOptions, unknown>

function toRoles(value: unknown, name: string): RoleTools {
  if (!(value instanceof Map)) throw expected(`${name} to be a Map`, value)
  for (const [role, player] of value) {
    if (!isRole(role)) throw expected(`each key of ${name} to be one of ${roleNames.join(', ')}`, role)
    const isPlayer = isObject(player) && typeof player.tool === 'string' && isObject(player.args ?? {})
    if (!isPlayer) throw expected(`${role} of ${name} to be { tool, args }`, player)
  }
  return value
}

/** `Headers` have no members of their own: none of them would be sent. */
function toHeaders(value: unknown, name: string): HeaderChanges {
  if (!isObject(value) || value instanceof Headers) throw expected(`${name} to be an object of strings`, value)
  for (const [header, text] of Object.entries(value)) {
    const isText = [text].flat().every((each) => each === undefined || typeof each === 'string')
    if (!isText) throw expected(`${header} of ${name} to be a string or an array of strings`, text)
  }
  return value as HeaderChanges
}

const aToken = option(undefined, optional(aText))
const credentialsTable = {
  token: aToken,
  other: aToken,
  expired: aToken,
  weak: aToken,
  foreign: aToken,
} satisfies Record<keyof Credentials, unknown>

function toCredentials(value: unknown, name: string): Credentials {
  if (!isObject(value)) throw expected(`${name} to be an object of tokens`, value)
  checkOptions(credentialsTable, value)
  return value as Credentials
}

function toUrl(value: unknown, name: string): URL {
  if (value instanceof URL) return value
  throw expected(`${name} to be a URL, as new URL(…) makes one`, value)
}
