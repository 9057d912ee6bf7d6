import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { resources } from './mcp.ts'
import { type ModernCall, modernToolList } from './modern-tools.ts'
import { ModernRefusal } from './modern-wire.ts'
import type { Json } from './wire.ts'

const hints = { ttlMs: 0, cacheScope: 'private' }

let calls = 0
let connections = 0
/** Only a double tells connections apart. */
const numbers = new WeakMap<Socket, number>()

function numberOf(socket: Socket): number {
  const known = numbers.get(socket)
  if (known !== undefined) return known
  numbers.set(socket, ++connections)
  return connections
}

export function listTools({ defects }: ModernCall, { socket }: IncomingMessage): Json {
  const [first, ...others] = modernToolList
  const kept = defects.has('modern-no-cache-hints') ? {} : hints
  if (defects.has('modern-tool-names-have-spaces')) {
    return { tools: [{ ...first, name: 'two words' }, ...modernToolList], ...kept }
  }
  if (defects.has('modern-tool-names-come-twice')) return { tools: [first, first, ...others], ...kept }
  if (defects.has('modern-header-annotation-has-a-space')) {
    const region = { type: 'string', 'x-mcp-header': 'My Region' }
    const tool = { ...first, name: 'annotated', inputSchema: { type: 'object', properties: { region } } }
    return { tools: [...modernToolList, tool], ...kept }
  }
  const isTurned = defects.has('modern-tools-change-places') && ++calls % 2 === 0
  if (isTurned) return { tools: modernToolList.toReversed(), ...kept }
  const isLess = defects.has('modern-lists-vary-by-connection') && numberOf(socket) % 2 === 0
  return { tools: isLess ? others : modernToolList, ...kept }
}

/** One resource on each page. */
export function listResources({ request: { params }, defects }: ModernCall): Json {
  const { cursor = 'page-1' } = params
  const page = Number(/^page-(\d+)$/.exec(String(cursor))?.[1] ?? 0)
  const resource = resources[page - 1]
  if (resource === undefined) throw new ModernRefusal(200, -32602, 'Unknown cursor')
  const isWide = page > 1 && defects.has('modern-later-pages-are-public')
  const more = page < resources.length ? { nextCursor: `page-${page + 1}` } : {}
  return { resources: [resource], ...hints, ...(isWide ? { cacheScope: 'public' } : {}), ...more }
}

const template = { uriTemplate: 'test://template/{id}/data', name: 'template' }

export function listTemplates({ request, defects }: ModernCall): Json {
  if (request.capabilities.elicitation !== undefined && defects.has('modern-lists-ask')) {
    return { resultType: 'input_required', requestState: 'page-1' }
  }
  const { name, ...nameless } = template
  const listed = defects.has('modern-templates-lack-their-name') ? nameless : { name, ...nameless }
  return { resourceTemplates: [listed], ...hints }
}
