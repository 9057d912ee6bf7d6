import { bearerChallenge, invalidToken, refusedInitialize, withToken } from '../client/bearer.ts'
import { expectThat, notTestable } from '../client/expect.ts'
import { initialize } from '../client/json-rpc.ts'
import { findMetadata, isSameHost, isSameResource, readMetadata } from '../client/resource-metadata.ts'
import { isLoopback } from '../client/target.ts'
import { requirement } from '../requirement.ts'

const discovery = '2025-11-25/basic/authorization#protected-resource-metadata-discovery-requirements'

/** P. Authorization: how a client without a token learns where to get one. */
export const discoveryRequirements = [
  requirement({
    id: 'auth/challenge-is-bearer',
    title: 'A 401 has the header WWW-Authenticate with a Bearer challenge.',
    rows: ['R237'],
    level: 'MUST',
    spec: 'RFC 6750 §3',
    needs: ['auth'],
    async check(context) {
      const refused = await refusedInitialize(context)
      const invalid = await context.post(initialize(context.version), withToken(invalidToken))
      for (const exchange of [refused, invalid]) {
        const got = exchange.header('www-authenticate')
        expectThat(
          bearerChallenge(exchange) !== undefined || exchange.status !== 401,
          `Expected WWW-Authenticate with a Bearer challenge in answer to ${exchange.what}, got ${JSON.stringify(got)}`,
        )
      }
    },
  }),
  requirement({
    id: 'auth/metadata-can-be-found',
    title:
      'Where the 401 names resource_metadata, or the server has such a document, a client finds it there or at a well-known URI.',
    rows: ['R237'],
    level: 'MUST',
    spec: discovery,
    since: '2025-06-18',
    needs: ['auth'],
    async check(context) {
      const metadata = await findMetadata(context)
      const named = bearerChallenge(await refusedInitialize(context))?.get('resource_metadata')
      // Authorization is optional, and tokens of another kind have no metadata.
      if (metadata === undefined && named === undefined) notTestable('nothing tells that the server has such metadata')
      expectThat(
        metadata !== undefined,
        'Expected a JSON object with status 200 at the URL of resource_metadata, or without that at the path of the ' +
          'endpoint or the root under /.well-known/oauth-protected-resource, found none',
      )
    },
  }),
  requirement({
    id: 'auth/metadata-names-this-endpoint',
    title: 'In the protected resource metadata, `resource` is the URL of the endpoint.',
    rows: ['R238'],
    level: 'MUST',
    spec: 'RFC 9728 §3.3',
    since: '2025-06-18',
    needs: ['auth'],
    async check(context) {
      const { document, resources } = await readMetadata(context)
      const { resource } = document
      const { url } = context
      const named = typeof resource === 'string' && URL.canParse(resource) ? new URL(resource) : undefined
      if (named !== undefined && !isSameHost(named, url) && isLoopback(url.hostname)) {
        notTestable(`the metadata is of ${resource}: check the server by that URL`)
      }
      const isRight = named !== undefined && resources.some((right) => isSameResource(named, right))
      expectThat(isRight, `Expected resource to be ${resources.join(' or ')}, got ${JSON.stringify(resource)}`)
    },
  }),
  requirement({
    id: 'auth/metadata-names-an-authorization-server',
    title: 'In the protected resource metadata, authorization_servers names at least one issuer.',
    rows: ['R238'],
    level: 'MUST',
    spec: '2025-11-25/basic/authorization#authorization-server-location',
    since: '2025-06-18',
    needs: ['auth'],
    async check(context) {
      const { document } = await readMetadata(context)
      const { authorization_servers: servers } = document
      const areUrls = Array.isArray(servers) && servers.length > 0 && servers.every((url) => URL.canParse(String(url)))
      expectThat(areUrls, `Expected authorization_servers to list URLs, got ${JSON.stringify(servers)}`)
    },
  }),
]
