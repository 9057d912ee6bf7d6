import type { Socket } from 'node:net'
import { inspect } from 'node:util'
import type { ParameterizedContext } from 'koa'

/** An error of ours goes where Koa's own errors go. Its listeners rely on an `Error`. */
export function emitError(ctx: ParameterizedContext, error: unknown): void {
  const emitted = error instanceof Error ? error : new Error(`non-error thrown: ${inspect(error)}`)
  ctx.app.emit('error', emitted, ctx)
}

/**
 * Koa hears of a broken connection as of an error of the app, and by default prints it. That a client leaves is none: the
 * endpoint knows it already, and the client comes back for the rest. Errors of middleware pass.
 */
export function ignoreBrokenConnection(ctx: ParameterizedContext): void {
  const { onerror } = ctx
  // Who emulates Node's request may leave it out.
  const socket = ctx.req.socket as Socket | undefined
  ctx.onerror = (error) => {
    if (!socket?.destroyed || !(error === socket.errored || isPrematureClose(error))) onerror.call(ctx, error)
  }
}

/** What Koa 3 says when the reader leaves of a body that middleware in front made a stream of, such as compression. */
function isPrematureClose(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null | undefined)?.code === 'ERR_STREAM_PREMATURE_CLOSE'
}
