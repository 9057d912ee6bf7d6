import type { CallMessage } from '../diagnostics/messages.ts'
import { NameLimit } from './name-limit.ts'

/** Attributes of a metric, by the names of OpenTelemetry. Values that have the same may share the object. */
export type MetricAttributes = Readonly<Record<string, string | number>>

/** The tool or prompt that a call names. */
export function targetOf({ method, params }: CallMessage): string | undefined {
  const name = method === 'tools/call' || method === 'prompts/get' ? params?.name : undefined
  return typeof name === 'string' ? name : undefined
}

/** `network.protocol.version`, as the conventions write it: Node says `2.0` of HTTP/2. */
export function networkVersionOf({ httpVersion }: CallMessage): string | undefined {
  return httpVersion === '2.0' ? '2' : httpVersion
}

/** `error.type` of a call that is over: see the conventions for MCP. */
export function errorTypeOf({ outcome, response }: CallMessage): string | undefined {
  if (outcome === 'cancelled' || outcome === 'abandoned') return outcome
  if (!response) return undefined
  if ('error' in response) return String(response.error.code)
  return response.result.isError === true ? 'tool_error' : undefined
}

/** Those of the protocol that clients send: no name that others make up takes their place. */
const notifications = [
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
  'notifications/tasks/status',
]

/** Names that calls of one endpoint are counted by. */
export class OperationNames {
  readonly #methods = new NameLimit(notifications)
  readonly #targets = new NameLimit()

  /** The name of a call before it is known what comes of it; `undefined` where no such call was counted yet. */
  nameOf(message: CallMessage): string | undefined {
    const { method } = message
    if (!this.#methods.has(method)) return undefined
    const target = targetOf(message)
    return target !== undefined && this.#targets.has(target) ? `${method} ${target}` : method
  }

  /** Of a call that is over: its method, and its tool or prompt. */
  count(message: CallMessage): { readonly method: string; readonly target: string | undefined } {
    const errorType = errorTypeOf(message)
    const target = targetOf(message)
    // Whether a server knows what it does not answer, a notification or what its client cancels, nobody can tell.
    const worked = errorType === undefined && message.requestId !== undefined
    return {
      // A tool that is unknown is an error of the tool to some SDKs.
      method: this.#methods.count(message.method, worked || errorType === 'tool_error'),
      target: target === undefined ? undefined : this.#targets.count(target, worked),
    }
  }
}

/** Attributes of `mcp.server.operation.duration`. */
export class OperationAttributes {
  readonly #names = new OperationNames()
  /** Of what worked, by method and target: made once, as names and versions have a bound. Codes of errors have none. */
  readonly #known = new Map<string, Map<string | undefined, MetricAttributes[]>>()

  of(message: CallMessage): MetricAttributes {
    const { method, target } = this.#names.count(message)
    const errorType = errorTypeOf(message)
    if (errorType !== undefined) return toAttributes(message, { method, target, errorType })
    const known = this.#knownOf(method, target)
    const { protocolVersion } = message
    const networkVersion = networkVersionOf(message)
    for (const each of known) {
      if (each['mcp.protocol.version'] === protocolVersion && each['network.protocol.version'] === networkVersion)
        return each
    }
    const made = toAttributes(message, { method, target, errorType })
    known.push(made)
    return made
  }

  #knownOf(method: string, target: string | undefined): MetricAttributes[] {
    const byTarget = this.#known.get(method) ?? new Map<string | undefined, MetricAttributes[]>()
    const known = byTarget.get(target) ?? []
    if (known.length === 0) this.#known.set(method, byTarget.set(target, known))
    return known
  }
}

interface Operation {
  readonly method: string
  readonly target: string | undefined
  readonly errorType: string | undefined
}

function toAttributes(message: CallMessage, { method, target, errorType }: Operation): MetricAttributes {
  const { response, protocolVersion } = message
  const attributes: Record<string, string | number> = {
    'mcp.method.name': method,
    'mcp.protocol.version': protocolVersion,
    'network.protocol.name': 'http',
    'network.transport': 'tcp',
  }
  const networkVersion = networkVersionOf(message)
  if (networkVersion !== undefined) attributes['network.protocol.version'] = networkVersion
  if (method === 'tools/call') attributes['gen_ai.operation.name'] = 'execute_tool'
  if (target !== undefined) attributes[method === 'prompts/get' ? 'gen_ai.prompt.name' : 'gen_ai.tool.name'] = target
  if (errorType !== undefined) attributes['error.type'] = errorType
  if (response && 'error' in response) attributes['rpc.response.status_code'] = String(response.error.code)
  return attributes
}
