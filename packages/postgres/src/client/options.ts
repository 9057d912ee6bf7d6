import { expected } from '@throughline/mcp-http-core'

/** One that is the same with quotes and without, and leaves room for what is put behind it. */
export function aSchema(value: unknown, name: string): string {
  if (typeof value === 'string' && /^[a-z_][a-z0-9_]{0,39}$/.test(value)) return value
  throw expected(`${name} to be 1 to 40 lower-case letters, digits and underscores`, value)
}
