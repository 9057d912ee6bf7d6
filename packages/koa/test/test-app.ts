import type Koa from 'koa'

/** What the app was told of. */
export function collectErrors(app: Koa): Error[] {
  const errors: Error[] = []
  app.on('error', (error: Error) => errors.push(error))
  return errors
}
