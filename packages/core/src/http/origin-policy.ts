import { checkOptions, listOf, option } from '../option-checks.ts'
import { checkCaller } from './guard.ts'
import { readHost } from './host-name.ts'
import type { HttpRequest } from './http.ts'
import { readHead } from './request-head.ts'

/** Options of {@link originPolicy}. */
export interface OriginPolicyOptions {
  /**
   * Hosts, with or without a port, beside loopback ones, that name this server: as the endpoint's option. A host that is
   * listed without need lets pages that were rebound to it read what they ask for.
   * @default []
   */
  allowedHosts?: readonly string[]
}

const table = { allowedHosts: option([], listOf("a host such as 'mcp.example.com' or 'localhost:3000'", readHost)) }

/**
 * The check of Host, Origin and Sec-Fetch-Site that every endpoint makes, for what is served beside one to its own pages:
 * pages of other sites, and such whose name was rebound to this machine, are refused.
 *
 * @returns throws Rejection `host_not_allowed`, `origin_not_allowed`, `site_not_allowed` or `repeated_header`
 * @throws TypeError for a bad option, naming it
 */
export function originPolicy(options: OriginPolicyOptions = {}): (request: HttpRequest) => void {
  const { allowedHosts } = checkOptions(table, options)
  const allowedOrigins: ReadonlySet<string> = new Set()
  return (request) => checkCaller(request, readHead(request), { allowedHosts, allowedOrigins })
}
