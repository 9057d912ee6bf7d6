import type { Adapter } from './adapter.ts'
import { express4, express5 } from './adapters/express.ts'
import { fastify } from './adapters/fastify.ts'
import { hono } from './adapters/hono.ts'
import { koa2, koa3 } from './adapters/koa.ts'
import { node } from './adapters/node.ts'
import { web } from './adapters/web.ts'

const records = [node, express5, express4, fastify, koa3, koa2, hono, web] as const

export type AdapterName = (typeof records)[number]['name']

/** Every way in which an endpoint can be served. */
export const adapters: readonly Adapter<AdapterName>[] = records

/** Each framework once, on its current major: what is measured and compared. */
export const frameworks = adapters.filter(({ framework, isOlder }) => framework.length > 0 && !isOlder)

export const adapterNames = adapters.map(({ name }) => name)

/** Adapters that can have a body parser in front. */
export const parserNames = adapters.filter(({ parser }) => parser).map(({ name }) => name)

export function findAdapter(name: AdapterName): Adapter<AdapterName> {
  const found = adapters.find((adapter) => adapter.name === name)
  if (found) return found
  throw new RangeError(`Expected an adapter (${adapterNames.join(', ')}), got "${name}"`)
}
