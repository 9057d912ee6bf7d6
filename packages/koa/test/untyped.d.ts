/** Has no types of its own. */
declare module '@koa/cors' {
  import type { Middleware } from 'koa'

  const cors: (options?: { origin?: string; exposeHeaders?: string; keepHeadersOnError?: boolean }) => Middleware

  export = cors
}
