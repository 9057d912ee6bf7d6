import { isObject, type Json } from './json-rpc.ts'

const keyword = 'x-mcp-header'

/** RFC 9110 §5.6.2. */
const token = /^[!#$%&'*+.^_`|~\w-]+$/

/** What holds values, not schemas: names in them mean nothing. */
const values: ReadonlySet<string> = new Set(['default', 'const', 'enum', 'examples'])

/** Schemas by names of the author's choice. */
const maps: ReadonlySet<string> = new Set(['patternProperties', 'dependentSchemas', '$defs', 'definitions'])

/** What is wrong with the `x-mcp-header` annotations of a tool (2026-07-28, Schema Extension). */
export function problemsOfAnnotations(inputSchema: unknown): string[] {
  const headers = new Set<string>()
  return problemsIn(inputSchema, { path: '', isReachable: false, headers })
}

interface Place {
  readonly path: string
  /** By `properties` alone, from the root. */
  readonly isReachable: boolean
  /** Those found so far, in lower case. */
  readonly headers: Set<string>
}

function problemsIn(schema: unknown, place: Place): string[] {
  if (Array.isArray(schema)) return schema.flatMap((each) => problemsIn(each, { ...place, isReachable: false }))
  if (!isObject(schema)) return []
  const own = keyword in schema ? problemsOf(schema, place) : []
  const inner = Object.entries(schema).flatMap(([name, value]) => {
    if (values.has(name) || name === keyword) return []
    const path = `${place.path}/${name}`
    const isReachable = name === 'properties' && (place.isReachable || place.path === '')
    if (name !== 'properties' && !maps.has(name)) return problemsIn(value, { ...place, path, isReachable: false })
    const named = isObject(value) ? Object.entries(value) : []
    return named.flatMap(([key, each]) => problemsIn(each, { ...place, path: `${path}/${key}`, isReachable }))
  })
  return [...own, ...inner]
}

function problemsOf(schema: Json, { path, isReachable, headers }: Place): string[] {
  const header = schema[keyword]
  const name = `${keyword} ${JSON.stringify(header)} at ${path || '/'}`
  if (typeof header !== 'string' || !token.test(header)) return [`${name} is no header name`]
  if (!isReachable) return [`${name} is not reached by properties alone`]
  if (!isPrimitive(schema.type)) return [`${name} is on the type ${JSON.stringify(schema.type)}`]
  const isRepeated = headers.has(header.toLowerCase())
  headers.add(header.toLowerCase())
  return isRepeated ? [`${name} comes twice`] : []
}

/** Of a value that may be null, the header is then left out. */
function isPrimitive(type: unknown): boolean {
  const types = (Array.isArray(type) ? type : [type]).filter((each) => each !== 'null')
  return types.length > 0 && types.every((each) => each === 'string' || each === 'integer' || each === 'boolean')
}
