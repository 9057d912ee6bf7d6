import { aFunction } from '../option-checks.ts'
import { isThenable } from '../promises/maybe-promise.ts'
import type { McpServerLike, ServerFactory, SessionContext } from './server.ts'
import { type Member, SharedObject } from './shared-object.ts'

/** What is the same for all sessions, and so all that a shared server object can be built with. */
export type SharedContext = Pick<SessionContext, 'era' | 'requestState'>

type Build = (context: SharedContext) => McpServerLike | Promise<McpServerLike>

/** Server objects that are kept for sessions to come while no session uses them; those used longest ago go first. */
const maxKept = 16

/**
 * Sessions that one object is for. Some of what an SDK keeps grows with use, such as a validator with each schema that a
 * tool asks with.
 */
const maxSessions = 1_000

/** Characters of what a client says of itself. One that says more than any real one gets an object for itself. */
const maxKey = 4_096

/**
 * A factory whose server objects are shared by sessions, so that tools are registered and schemas built once and not for
 * every session: with many tools that is most of what opening a session costs, and most of what it weighs.
 *
 * Sessions whose clients say the same of themselves (revision, name, version, capabilities) use one object. So it must keep
 * nothing that belongs to a session: the identity of the client is that of each request (`extra.authInfo`,
 * `extra.sessionId`), and what a handler sends names its request (`extra.sendNotification`, `extra.sendRequest`; or the
 * option `relatedRequestId: extra.requestId`). What names none is sent to nobody, and rejects, but for `list_changed`, which
 * goes to all, and the update of a resource, which goes to its subscribers. After 1,000 sessions an object is renewed.
 * One that declares `tasks` is not shared; nor is one for a request without a session: there `build` is called for each, as
 * any factory.
 *
 * @example
 * ```ts
 * import { createEndpoint, sharedServer } from '@throughline/mcp-http-core'
 *
 * const endpoint = createEndpoint({ server: sharedServer(() => buildServer()) })
 * ```
 * @throws TypeError for what is no function
 */
export function sharedServer(build: (context: SharedContext) => McpServerLike | Promise<McpServerLike>): ServerFactory {
  const objects = new SharedObjects(aBuilder(build, 'the argument of sharedServer'))
  return (context) => {
    const { era, requestState, sessionId } = context
    if (sessionId === undefined) return build({ era, requestState })
    return objects.join(context)
  }
}

const aBuilder = aFunction<Build>(', as () => new McpServer(…)')

class SharedObjects {
  readonly #build: Build
  /** Those that others may join, by what their clients say, least recently joined first. */
  readonly #open = new Map<string, SharedObject>()

  constructor(build: Build) {
    this.#build = build
  }

  join(context: SessionContext): Member | Promise<Member> {
    const { requestedProtocolVersion, clientInfo, clientCapabilities } = context
    const key = JSON.stringify([requestedProtocolVersion, clientInfo, clientCapabilities])
    const object = this.#open.get(key)
    if (!object) return this.#begin(key, context)
    this.#open.delete(key)
    const member = object.join()
    if (object.joined < maxSessions) this.#open.set(key, object)
    else object.shut()
    return member
  }

  async #begin(key: string, { era, requestState }: SessionContext): Promise<Member> {
    const built = this.#build({ era, requestState })
    const object = new SharedObject(isThenable(built) ? await built : built, {
      answered: (answering) => this.#offer(key, answering),
      left: (leaving) => {
        if (leaving.isUnused && !leaving.isOpen) this.#end(leaving)
      },
    })
    await object.connect()
    return object.join()
  }

  /** Until then sessions of the same clients have objects of their own. */
  #offer(key: string, object: SharedObject): void {
    if (this.#open.has(key) || key.length > maxKey) return
    object.open()
    this.#open.set(key, object)
    if (this.#open.size > maxKept) this.#withdrawOldest()
  }

  #withdrawOldest(): void {
    for (const [key, object] of this.#open) {
      this.#open.delete(key)
      object.shut()
      if (object.isUnused) this.#end(object)
      return
    }
  }

  #end(object: SharedObject): void {
    // Nobody is left to be told: it has no session.
    object.end().catch((error: unknown) => object.onerror?.(error as Error))
  }
}
