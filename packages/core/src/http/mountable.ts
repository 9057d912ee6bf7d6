import { expected } from '../option-checks.ts'
import type { Mountable } from './http.ts'

/** An app of Express has a method of that name too, and is a function. */
export function isMountable(value: unknown): value is Mountable {
  return typeof value === 'object' && typeof (value as Partial<Mountable> | null)?.handle === 'function'
}

/**
 * What a bridge mounts, checked when it is mounted and not with the first request.
 * @throws TypeError for options, which only the adapters take, and for whatever else is no endpoint
 */
export function checkMountable(value: unknown): void {
  if (!isMountable(value))
    throw expected('an endpoint made by createEndpoint({ server: () => new McpServer(…) })', value)
}
