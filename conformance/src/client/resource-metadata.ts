import { bearerChallenge, refusedInitialize } from './bearer.ts'
import type { CheckContext } from './context.ts'
import type { Exchange } from './exchange.ts'
import { fail, notTestable } from './expect.ts'
import { isObject, type Json } from './json-rpc.ts'
import { isLoopback } from './target.ts'

/** A protected resource metadata document (RFC 9728). */
export interface Metadata {
  readonly document: Json
  /** What a document at this place may be of. */
  readonly resources: readonly URL[]
}

interface Place {
  readonly url: URL
  readonly resources: readonly URL[]
}

/**
 * The metadata as a client finds it: where the challenge says, otherwise at the well-known places. `undefined` when it is
 * at none of them. A place on another host is not asked: nobody said that this run may.
 */
export async function findMetadata(context: CheckContext): Promise<Metadata | undefined> {
  const { places, elsewhere } = placesOf(await refusedInitialize(context), context.url)
  for (const { url, resources } of places) {
    const headers = { Authorization: undefined, Accept: 'application/json' }
    const exchange = await context.clientFor(url).send('GET', { headers })
    if (exchange.status >= 300 && exchange.status < 400) notTestable(`${url} redirects, which is not followed`)
    const document = exchange.status === 200 && !exchange.isEventStream ? await exchange.json() : undefined
    exchange.abort()
    if (isObject(document)) return { document, resources }
  }
  if (elsewhere !== undefined) notTestable(`the metadata is on another host, which is not asked: ${elsewhere}`)
  return undefined
}

/** The metadata, for a check of what it says: that it can be found is a requirement of its own. */
export async function readMetadata(context: CheckContext): Promise<Metadata> {
  return (await findMetadata(context)) ?? notTestable('no protected resource metadata was found')
}

/** `true` when both name one endpoint: with or without a slash at the end, and by any name of a loopback address. */
export function isSameResource(named: URL, endpoint: URL): boolean {
  const toPath = ({ pathname, search }: URL) => `${pathname.replace(/\/$/, '')}${search}`
  return isSameHost(named, endpoint) && toPath(named) === toPath(endpoint)
}

export function isSameHost(url: URL, endpoint: URL): boolean {
  if (url.origin === endpoint.origin) return true
  const areLoopback = isLoopback(url.hostname) && isLoopback(endpoint.hostname)
  return areLoopback && url.protocol === endpoint.protocol && url.port === endpoint.port
}

function placesOf(refused: Exchange, endpoint: URL): { places: readonly Place[]; elsewhere?: URL } {
  const resources = [endpoint]
  const named = bearerChallenge(refused)?.get('resource_metadata')
  if (named === undefined) return { places: wellKnownPlaces(endpoint) }
  const url = URL.canParse(named) ? new URL(named) : fail(`Expected resource_metadata to be a URL, got "${named}"`)
  if (isSameHost(url, endpoint)) {
    return { places: [{ url: new URL(`${url.pathname}${url.search}`, endpoint), resources }] }
  }
  // Reached by its local address, a server still tells its public one.
  return { places: isLoopback(endpoint.hostname) ? wellKnownPlaces(endpoint) : [], elsewhere: url }
}

/** In the order in which clients try them. The document at the root may be of everything there (RFC 9728 §3.3). */
function wellKnownPlaces(endpoint: URL): Place[] {
  const place = '/.well-known/oauth-protected-resource'
  const path = endpoint.pathname.replace(/\/$/, '')
  return [
    { url: new URL(`${place}${path}${endpoint.search}`, endpoint), resources: [endpoint] },
    { url: new URL(place, endpoint), resources: [endpoint, new URL('/', endpoint)] },
  ]
}
