const specification = 'https://modelcontextprotocol.io/specification'
const sse = 'https://html.spec.whatwg.org/multipage/server-sent-events.html'

const jsonRpc = 'https://www.jsonrpc.org/specification'
const jsonRpcAnchors: Readonly<Record<string, string>> = {
  4: '#request_object',
  4.1: '#notification',
  4.2: '#parameter_structures',
  5: '#response_object',
  5.1: '#error_object',
  6: '#batch',
}

/** Clauses of other documents: how they are cited, and where they are. */
const documents: readonly [RegExp, (match: RegExpExecArray) => string][] = [
  [/^RFC (\d+) §([\d.]+)$/, ([, rfc, section]) => `https://www.rfc-editor.org/rfc/rfc${rfc}#section-${section}`],
  [/^RFC (\d+)$/, ([, rfc]) => `https://www.rfc-editor.org/rfc/rfc${rfc}`],
  [/^JSON-RPC 2\.0(?: §([\d.]+))?$/, ([, section]) => `${jsonRpc}${jsonRpcAnchors[section ?? ''] ?? ''}`],
  [/^WHATWG HTML §9\.2\.4$/, () => `${sse}#the-last-event-id-header`],
  [/^WHATWG HTML §9\.2\.6$/, () => `${sse}#event-stream-interpretation`],
  [/^WHATWG HTML §9\.2(?:\.\d+)?$/, () => sse],
  [/^WHATWG Fetch §2\.2\.2$/, () => 'https://fetch.spec.whatwg.org/#cors-safelisted-request-header'],
  [/^WHATWG Fetch(?: §[\d.]+)?$/, () => 'https://fetch.spec.whatwg.org/#http-cors-protocol'],
  [/^W3C Fetch Metadata §2\.3$/, () => 'https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header'],
  [/^W3C Fetch Metadata(?: §[\d.]+)?$/, () => 'https://www.w3.org/TR/fetch-metadata/'],
  [/^CWE-(\d+)$/, ([, weakness]) => `https://cwe.mitre.org/data/definitions/${weakness}.html`],
  [/^GHSA-[a-z0-9-]+$/, ([advisory]) => `https://github.com/advisories/${advisory}`],
  [/^\d{4}-\d\d-\d\d\/\S+$/, ([path]) => `${specification}/${path}`],
]

/** Where a clause can be read. Throws when `spec` is cited in no known way. */
export function toSpecUrl(spec: string): string {
  for (const [pattern, toUrl] of documents) {
    const match = pattern.exec(spec)
    if (match) return toUrl(match)
  }
  throw new TypeError(`Expected a clause such as 2025-11-25/basic/transports#section or RFC 9110 §8.3.1, got "${spec}"`)
}
