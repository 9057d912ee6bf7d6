import type { FastifyInstance } from 'fastify'
import { type Adapter, routerPrefix } from '../adapter.ts'

export const fastify: Adapter<'fastify'> = {
  name: 'fastify',
  package: '@throughline/mcp-http-fastify',
  framework: ['fastify'],
  // Its parser stays outside of the plugin, so there is none that could be in front.
  compression: true,
  nested: true,
  exceptions: [
    {
      id: 'endpoint/unsupported-methods-are-405',
      reason: 'Fastify answers 404 to methods that the app has not added, such as PROPFIND',
    },
  ],
  async serve(routes, { compression, nested }) {
    const [{ default: Fastify }, { mcp }] = await Promise.all([
      import('fastify'),
      import('@throughline/mcp-http-fastify'),
    ])
    const app = Fastify()
    if (compression) await app.register((await import('@fastify/compress')).default)
    const mount = async (scope: FastifyInstance): Promise<void> => {
      for (const { path, serves } of routes) scope.register(mcp, { prefix: path, endpoint: serves })
    }
    await app.register(mount, nested ? { prefix: routerPrefix } : {})
    return toListener(app)
  },
  async serveBare(answer) {
    const { default: Fastify } = await import('fastify')
    const app = Fastify()
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, _payload, done) => done(null))
    app.all('/mcp', async (request, reply) => {
      const { status, text, headers } = await answer(request.raw)
      return reply.code(status).headers(headers).send(text)
    })
    return toListener(app)
  },
}

async function toListener(app: FastifyInstance) {
  await app.ready()
  return app.routing.bind(app)
}
