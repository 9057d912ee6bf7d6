// Both published versions of @modelcontextprotocol/conformance import `globSync` from `fs`, which Node 20 lacks, and
// use it only for a command the referee never runs. This gives that one package an `fs` that has the name.
import { register } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const source = `export * from 'node:fs'
export { default } from 'node:fs'
export const globSync = () => { throw new Error('globSync is not there on Node 20') }`
const shim = `data:text/javascript,${encodeURIComponent(source)}`

/** @type {import('node:module').ResolveHook} */
export async function resolve(specifier, context, nextResolve) {
  const isOurs = specifier === 'fs' && context.parentURL?.includes('/@modelcontextprotocol/conformance/')
  return isOurs ? { url: shim, format: 'module', shortCircuit: true } : nextResolve(specifier, context)
}

// The hook thread loads this file too, and needs only `resolve`.
if (isMainThread) register(import.meta.url)
