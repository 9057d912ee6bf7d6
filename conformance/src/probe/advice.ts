import type { Change, FindingId, HopName } from './finding.ts'

interface Advice {
  /** What is so when all is well. */
  readonly title: string
  /** What follows for MCP clients when it is not. */
  readonly means: string
  readonly changes: Readonly<Partial<Record<HopName, string>>>
}

/** A header that does not get through in a request: what could take it out. */
function requestHeader(name: string): Advice['changes'] {
  return {
    nginx: `remove \`proxy_set_header ${name} "";\` and \`proxy_pass_request_headers off;\``,
    Caddy: `remove \`header_up -${name}\` in \`reverse_proxy\` and \`request_header -${name}\``,
    HAProxy: `remove \`http-request del-header ${name}\``,
    'AWS ALB': 'passes it on; look at the hops before and behind it',
    'Google Cloud LB': `passes it on unless a URL map removes it: \`requestHeadersToRemove\``,
    Cloudflare: `remove the request header transform rule or the Worker that drops ${name}`,
  }
}

/** Findings in general; a probe can say more exactly what its own means. */
export const advice: Readonly<Record<FindingId, Advice>> = {
  reach: {
    title: 'An MCP server answers at this URL',
    means: 'No client can connect.',
    changes: {
      nginx:
        'the path of `location` and of `proxy_pass` must lead to the endpoint; a `proxy_pass` with a path replaces that of the `location`',
      Caddy: '`reverse_proxy` keeps the path; `handle_path` strips it, `handle` does not',
      HAProxy: '`use_backend` must match the path; `http-request set-path` changes it',
    },
  },
  host: {
    title: 'The server takes the Host that reaches it',
    means:
      'No client can connect under this name. A server on a loopback address refuses names that it was not told, since a page whose name was rebound to it looks the same: the name that arrives there must be in its `allowedHosts`.',
    changes: {
      nginx:
        '`proxy_set_header Host $host;` passes the public name on, for `allowedHosts`; without the line the name in `proxy_pass` arrives',
      Caddy: 'passes the public name on: put it into `allowedHosts`; `header_up Host` in `reverse_proxy` changes it',
      HAProxy: 'passes the public name on: put it into `allowedHosts`; `http-request set-header Host` changes it',
      Apache:
        '`ProxyPreserveHost On` passes the public name on, for `allowedHosts`; without the line the name in `ProxyPass` arrives',
      lighttpd: 'passes the public name on: put it into `allowedHosts`',
      Varnish: 'passes the public name on: put it into `allowedHosts`',
    },
  },
  tls: {
    title: 'TLS is in use, current and trusted',
    means: 'Clients refuse to connect, or tokens and answers can be read on the way.',
    changes: {
      nginx: '`listen 443 ssl;`, `ssl_certificate` with the whole chain, `ssl_protocols TLSv1.2 TLSv1.3;`',
      Caddy: 'name the host in the site address: Caddy gets and renews the certificate',
      HAProxy:
        '`bind :443 ssl crt /etc/haproxy/certs/ alpn h2,http/1.1 ssl-min-ver TLSv1.2`, the chain in the same file',
      'AWS ALB': 'an HTTPS listener with a certificate of ACM and a security policy with TLS 1.2 and 1.3',
      'Google Cloud LB': 'a target HTTPS proxy with a managed certificate and an SSL policy of at least TLS 1.2',
      Cloudflare: '"Full (strict)", and "Minimum TLS Version" 1.2',
    },
  },
  'http-version': {
    title: 'Clients get HTTP/1.1, and HTTP/2 over TLS',
    means: 'HTTP/1.0 has no chunks: an event stream that is cut looks to clients like one that has ended.',
    changes: {
      nginx: '`http2 on;` in the `server` (before 1.25.1: `listen 443 ssl http2;`)',
      Caddy: 'nothing: HTTP/2 is on; see `protocols` in the global options if it is not',
      HAProxy: '`alpn h2,http/1.1` on the `bind` line',
      'AWS ALB': 'the attribute `routing.http2.enabled` of the balancer (on by default)',
      'Google Cloud LB': 'nothing: HTTP/2 is on for HTTPS',
      Cloudflare: '"HTTP/2" in the Speed settings (on by default)',
    },
  },
  redirects: {
    title: 'The URL is served without a redirect',
    means:
      'Clients that follow a 301, 302 or 303 send the POST again as a GET, without its body: nothing works. Give clients the URL that it leads to.',
    changes: {
      nginx:
        '`return 308 https://$host$request_uri;` in place of 301; `location = /mcp` and `location /mcp/` apart, without `rewrite`',
      Caddy: 'its own redirect to https is a 308; write `redir … 308` where there is one of yours',
      HAProxy: '`http-request redirect scheme https code 308 unless { ssl_fc }`',
      'AWS ALB': 'its redirects are 301 or 302 only: publish the URL with https',
      'Google Cloud LB': '`redirectResponseCode: PERMANENT_REDIRECT` (308) in the URL map',
      Cloudflare: '"Always Use HTTPS" answers 301: publish the URL with https, or use a redirect rule with 308',
    },
  },
  hops: {
    title: 'No hop names itself',
    means: 'Something stands between client and server. Hops that do not name themselves may, too.',
    changes: { nginx: '`proxy_http_version 1.1;` and `proxy_set_header Connection "";`' },
  },
  'session-id-to-client': {
    title: 'Mcp-Session-Id reaches the client',
    means: 'Every request after initialize is refused: no client works.',
    changes: {
      nginx: 'remove `proxy_hide_header Mcp-Session-Id;`',
      Caddy: 'remove `header_down -Mcp-Session-Id` in `reverse_proxy` and `header -Mcp-Session-Id`',
      HAProxy: 'remove `http-response del-header Mcp-Session-Id`',
      'AWS ALB': 'passes it on; look at the hops before and behind it',
      'Google Cloud LB': 'passes it on unless a URL map removes it: `responseHeadersToRemove`',
      Cloudflare: 'remove the response header transform rule or the Worker that drops it',
    },
  },
  'session-id-to-server': {
    title: 'Mcp-Session-Id reaches the server',
    means: 'Every request after initialize is refused: no client works.',
    changes: requestHeader('Mcp-Session-Id'),
  },
  'version-header': {
    title: 'MCP-Protocol-Version reaches the server',
    means: 'The server must take clients for ones of 2025-03-26, and cannot refuse a revision that it does not speak.',
    changes: requestHeader('MCP-Protocol-Version'),
  },
  'last-event-id': {
    title: 'Last-Event-ID reaches the server',
    means:
      'A client that lost its connection gets a new stream instead of the rest of the old one: answers that came meanwhile are lost to it.',
    changes: requestHeader('Last-Event-ID'),
  },
  origin: {
    title: 'A foreign Origin is refused',
    means: 'A web page can call the server from the browser of whoever opens it (DNS rebinding).',
    changes: requestHeader('Origin'),
  },
  cors: {
    title: 'CORS headers are those of the server, once and complete',
    means:
      'The server refuses the page, and a hop tells browsers that the page may read the answer: the hop adds CORS headers on its own. It will open what the server closes, and doubles the headers where the server sends its own.',
    changes: {
      nginx:
        'remove `add_header Access-Control-Allow-Origin …`, and leave OPTIONS to the server; or let nginx alone do CORS, with a `map` of the origins allowed and `proxy_hide_header` for those of the server',
      Caddy: 'remove `header Access-Control-Allow-Origin …` and the `respond` for OPTIONS',
      HAProxy:
        'remove `http-response set-header Access-Control-Allow-Origin …` and `http-after-response` of the same kind',
      'AWS ALB': 'clear the listener attribute `routing.http.response.access_control_allow_origin.header_value`',
      'Google Cloud LB': 'remove `corsPolicy` from the URL map and custom response headers from the backend service',
      Cloudflare: 'remove the response header transform rule that sets Access-Control headers',
    },
  },
  affinity: {
    title: 'Every request of a session reaches a node that knows it',
    means:
      'Clients lose their session at random: they start anew each time, or fail. Cookies do not help, for several clients drop them.',
    changes: {
      nginx:
        'from 1.29.6: `sticky learn create=$upstream_http_mcp_session_id lookup=$http_mcp_session_id zone=mcp:1m timeout=1h;` in the `upstream`; before: the name of the process in the id, and a `map $http_mcp_session_id`',
      Caddy:
        'the name of the process in the id, and one `@a header Mcp-Session-Id a.*` with its `reverse_proxy` per process; `lb_policy header Mcp-Session-Id` only where nodes share sessions',
      HAProxy:
        '`stick-table type string len 128 size 100k expire 1h`, `stick store-response res.hdr(Mcp-Session-Id)` and `stick match req.hdr(Mcp-Session-Id)` in the `backend`',
      'AWS ALB':
        'stickiness is by cookie only: the name of the process in the id, and a listener rule with the condition `http-header` Mcp-Session-Id `a.*` per process; or share sessions between nodes',
      'Google Cloud LB':
        'share sessions between nodes; `sessionAffinity: HEADER_FIELD` hashes an id that was made after the choice of the node',
      Cloudflare:
        'Load Balancing keeps sessions by cookie or address, or by header: the last needs a header that clients send from the start; share sessions between nodes',
    },
  },
  buffering: {
    title: 'Events arrive as they are sent',
    means:
      'Progress, questions of the server and messages on the standalone stream come too late or never: a tool that asks its user waits for ever.',
    changes: {
      nginx:
        '`proxy_buffering off;` in the `location`, or `X-Accel-Buffering: no` on event streams by the server; no `proxy_ignore_headers X-Accel-Buffering`',
      Caddy: 'event streams are flushed by themselves; no `encode` for this path; `flush_interval -1` for other types',
      HAProxy:
        '`option http-no-delay`: without it the kernel holds small events back for up to 200 ms; no filter on this backend',
      Apache: 'passes events on as they come; no `mod_deflate` or other filter for this path',
      lighttpd:
        '`server.stream-response-body = 1`: without it the whole answer is held back until it ends, its head too',
      Varnish: 'passes events on as they come; no `beresp.do_stream = false`',
      'AWS ALB':
        'does not buffer with instances and IP targets; Lambda targets do: answer from a container or a function URL with response streaming',
      'Google Cloud LB': 'does not buffer; Cloud CDN and Cloud Armor body inspection off for this backend',
      Cloudflare: '"Response Buffering" off (Enterprise), and no Worker that reads the whole body',
    },
  },
  compression: {
    title: 'Event streams are not compressed',
    means:
      'A compressor waits for more bytes before it gives any out: events come late to clients that accept gzip, and nearly all do.',
    changes: {
      nginx: 'no `text/event-stream` and no `*` in `gzip_types` and `brotli_types`, or `gzip off;` in the `location`',
      Caddy: '`encode` compresses `text/*`: limit it with `@rest not path /mcp*` and `encode @rest gzip zstd`',
      HAProxy: '`compression type` without `text/event-stream`; without the line everything is compressed',
      Apache: '`SetEnv no-gzip 1` in the `<Location>`: mod_deflate ignores `no-transform`',
      'AWS ALB': 'does not compress; look at the server and at CloudFront ("Compress objects automatically")',
      'Google Cloud LB': '`compressionMode: DISABLED` on the backend service',
      Cloudflare:
        'event streams are not on its list; remove the compression rule that adds them. `Cache-Control: no-transform` by the server helps with any hop',
    },
  },
  idle: {
    title: 'Silent streams stay open',
    means:
      'Clients must reconnect over and over. What is sent meanwhile is lost without resumption, and a long call without events fails.',
    changes: {
      nginx: '`proxy_read_timeout 3600s;` (default 60 s of silence)',
      Caddy: 'no limit by default: remove `read_timeout` in `transport http` and `stream_timeout`',
      HAProxy: '`timeout server 1h`; `timeout tunnel` does not count for event streams',
      Apache: '`ProxyTimeout 3600` (without a `Timeout` 60 s of silence; Debian sets 300)',
      lighttpd: 'no limit was seen in 150 s of silence',
      Varnish: '`.first_byte_timeout = 1h;` and `.between_bytes_timeout = 1h;` in the `backend` (default 60 s each)',
      'AWS ALB': '`idle_timeout.timeout_seconds` (default 60, at most 4000)',
      'Google Cloud LB':
        '`timeoutSec: 86400` on the backend service: its default of 30 s counts the whole answer, not the silence',
      Cloudflare: '120 s of silence, to be changed on Enterprise only: let the server send a comment line more often',
    },
  },
  'body-size': {
    title: 'A body of 1.5 MiB reaches the server',
    means: 'Calls with larger arguments, such as a file or an image, fail with an error that is no JSON-RPC.',
    changes: {
      nginx: '`client_max_body_size 4m;` (default 1 MiB)',
      Caddy: 'no limit by default: raise `request_body { max_size … }`',
      HAProxy: 'no limit by default: look for `http-request deny` with `req.body_size` or `req.hdr(content-length)`',
      'AWS ALB': '1 MB for Lambda targets, none for others; AWS WAF may have a rule of size',
      'Google Cloud LB': 'no limit of its own; Cloud Run takes 32 MiB',
      Cloudflare: '100 MB on Free and Pro; look at WAF rules',
    },
  },
}

/** What to change, with the hops that named themselves first. */
export function changesFor(id: FindingId, named: readonly HopName[]): Change[] {
  const entries = Object.entries(advice[id].changes) as [HopName, string][]
  // It is about the hops that named themselves, and no others.
  const meant = id === 'hops' ? entries.filter(([at]) => named.includes(at)) : entries
  const all = meant.map(([at, change]): Change => ({ at, change }))
  return [...all.filter(({ at }) => named.includes(at)), ...all.filter(({ at }) => !named.includes(at))]
}
