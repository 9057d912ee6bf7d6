import type { Exchange } from '../client/exchange.ts'
import type { HopName } from './finding.ts'

/** Hops for which there is no advice. */
const unadvised = ['Envoy', 'h2o', 'a CDN', 'a proxy'] as const

interface Trace {
  readonly header: string
  readonly value?: RegExp
  readonly hop: HopName | (typeof unadvised)[number]
}

/** Headers by which hops give themselves away. */
const traces: readonly Trace[] = [
  { header: 'server', value: /nginx|openresty/i, hop: 'nginx' },
  { header: 'server', value: /caddy/i, hop: 'Caddy' },
  { header: 'via', value: /caddy/i, hop: 'Caddy' },
  { header: 'server', value: /haproxy/i, hop: 'HAProxy' },
  // Apache may be the server itself: so may any that names itself there.
  { header: 'server', value: /^apache\b/i, hop: 'Apache' },
  { header: 'server', value: /^lighttpd\b/i, hop: 'lighttpd' },
  { header: 'server', value: /^h2o\b/i, hop: 'h2o' },
  { header: 'via', value: /varnish/i, hop: 'Varnish' },
  { header: 'x-varnish', hop: 'Varnish' },
  { header: 'server', value: /awselb/i, hop: 'AWS ALB' },
  { header: 'set-cookie', value: /^AWSALB/i, hop: 'AWS ALB' },
  { header: 'server', value: /google frontend|gws/i, hop: 'Google Cloud LB' },
  { header: 'via', value: /\bgoogle\b/i, hop: 'Google Cloud LB' },
  { header: 'set-cookie', value: /^GCLB/i, hop: 'Google Cloud LB' },
  { header: 'cf-ray', hop: 'Cloudflare' },
  { header: 'server', value: /cloudflare/i, hop: 'Cloudflare' },
  { header: 'server', value: /envoy/i, hop: 'Envoy' },
  { header: 'x-envoy-upstream-service-time', hop: 'Envoy' },
  { header: 'x-amz-cf-id', hop: 'a CDN' },
  { header: 'x-served-by', hop: 'a CDN' },
  { header: 'x-cache', hop: 'a CDN' },
  { header: 'via', hop: 'a proxy' },
]

/** Hops that named themselves, for which there is advice. */
export function findHops(exchange: Exchange): HopName[] {
  const named = namedBy(exchange).map(({ hop }) => hop)
  const isKnown = (hop: Trace['hop']): hop is HopName => !unadvised.some((other) => other === hop)
  return [...new Set(named.filter(isKnown))]
}

/** The headers that name a hop, as they came, without what follows in a cookie. */
export function namingHeaders(exchange: Exchange): string[] {
  const lines = namedBy(exchange).map(({ header }) => {
    const values = exchange.headerValues(header)
    return header === 'set-cookie'
      ? `Set-Cookie: ${cookieNames(exchange).join(', ')}`
      : `${toHeaderCase(header)}: ${values.join(', ')}`
  })
  return [...new Set(lines)]
}

export function cookieNames(exchange: Exchange): string[] {
  return exchange.headerValues('set-cookie').map((value) => value.split('=')[0]?.trim() ?? '')
}

function namedBy(exchange: Exchange): Trace[] {
  return traces.filter(({ header, value }) =>
    exchange.headerValues(header).some((line) => value === undefined || value.test(line)),
  )
}

function toHeaderCase(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
}
