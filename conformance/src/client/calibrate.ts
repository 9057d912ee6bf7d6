import { isFixture, type Role, type RoleTools, roles } from '../roles.ts'
import { type Asking, answerWith, beginAsk, sampleWith } from './asking.ts'
import { expectThat } from './expect.ts'
import type { HttpClient } from './http.ts'
import { type Json, type Message, resultFor, textOf } from './json-rpc.ts'
import { logsIn, progressIn } from './probes.ts'
import { openSession, type Session } from './session.ts'
import { patienceMs, within } from './waiting.ts'

/** Expects of a tool what its role promises; throws what it did instead. */
type Trial = (session: Session) => Promise<void>

/** So long what a tool sends gets to arrive after its answer, on whichever stream. */
const arrivalMs = 300

async function result(session: Session, role: Role, args: Json = {}, token?: string): Promise<Message> {
  const response = await (
    await session.call(role, args, token === undefined ? {} : { progressToken: token })
  ).response()
  const isServed = response.result !== undefined && response.result.isError !== true
  expectThat(isServed, JSON.stringify(response.error ?? response.result ?? response).slice(0, 200))
  return response
}

async function text(session: Session, role: Role, args: Json = {}): Promise<string> {
  const found = textOf(await result(session, role, args))
  expectThat(found !== undefined, 'no text')
  return found
}

function served(role: Role, args: Json = {}): Trial {
  return async (session) => void (await result(session, role, args, 'calibrate'))
}

function reporting(role: Role, args: Json = {}): Trial {
  return async (session) => {
    await result(session, role, args, `calibrate-${role}`)
    const count = () => progressIn(messagesOf(session), `calibrate-${role}`).length
    await session.until(() => count() >= 3, arrivalMs)
    expectThat(count() >= 3, `${count()} progress notifications`)
  }
}

function failing(role: Role): Trial {
  return async (session) => {
    const response = await (await session.call(role, {}, { progressToken: 'calibrate' })).response()
    const hasFailed = response.error !== undefined || response.result?.isError === true
    expectThat(hasFailed, `a result that is no error: ${textOf(response)}`)
  }
}

function announcing(role: Role, method: string): Trial {
  return async (session) => {
    const has = () => messagesOf(session).some((message) => message.method === method)
    await result(session, role)
    expectThat(await session.until(has, arrivalMs), `no ${method}`)
  }
}

function asking(tool: 'ask' | 'ask_sampling', toAnswer: (asked: Asking, text: string) => Message): Trial {
  return async (session) => {
    const asked = await beginAsk(session, { tool })
    await session.post(toAnswer(asked, answer))
    const found = await (await asked.call()).text()
    expectThat(found?.includes(answer) === true, `the text ${JSON.stringify(found)} after the answer "${answer}"`)
  }
}

function messagesOf(session: Session): Message[] {
  return session.received.map(({ message }) => message)
}

const answer = 'calibrated'

/** One for each role that a client of sessions can try; those of 2026-07-28 are taken as they are. */
const trials: Readonly<Partial<Record<Role, Trial>>> = {
  echo: async (session) => {
    const echoed = await text(session, 'echo', { text: answer })
    expectThat(echoed.includes(answer), JSON.stringify(echoed.slice(0, 100)))
  },
  progress: reporting('progress'),
  burst: reporting('burst', { count: 3, delayMs: 0 }),
  flood: reporting('flood', { count: 3 }),
  late_progress: served('late_progress'),
  log: async (session) => {
    await result(session, 'log')
    const count = () => logsIn(messagesOf(session)).length
    await session.until(() => count() >= 3, arrivalMs)
    expectThat(count() >= 3, `${count()} log messages`)
  },
  slow: served('slow', { ms: 50 }),
  big: async (session) => {
    const found = await text(session, 'big', { bytes: 1_000 })
    expectThat(found.length >= 1_000, `a text of ${found.length} characters`)
  },
  unicode: async (session) => {
    const found = await text(session, 'unicode')
    expectThat(/[\u0100-\uffff]/.test(found), 'a text of Latin letters only')
  },
  counter: async (session) => {
    const found = await text(session, 'counter', { add: 0 })
    expectThat(/^-?\d+$/.test(found.trim()), JSON.stringify(found.slice(0, 100)))
  },
  abort_probe: served('abort_probe', { key: 'calibrate', ms: 1 }),
  abort_query: async (session) => {
    const state = await text(session, 'abort_query', { key: 'never begun' })
    expectThat(state === 'unknown', JSON.stringify(state.slice(0, 100)))
  },
  throw_sync: failing('throw_sync'),
  throw_after_progress: failing('throw_after_progress'),
  ask: asking('ask', answerWith),
  ask_sampling: asking('ask_sampling', sampleWith),
  ask_roots: async (session) => {
    const asking = await beginAsk(session, { tool: 'ask_roots' })
    await session.post(resultFor(asking.askedId, { roots: [] }))
    await (await asking.call()).response()
  },
  push: async (session) => {
    await result(session, 'push', { count: 1, text: answer })
    const has = () => logsIn(messagesOf(session), answer).length > 0
    expectThat(await session.until(has, arrivalMs), 'no log message with that text')
  },
  list_changed: announcing('list_changed', 'notifications/tools/list_changed'),
}

/**
 * Tries the tools that play roles, all but those of the suite's own fixture: what these do is known, so that a trial which
 * fails would tell of the transport. Gives the roles that are not played, each with a sentence.
 */
export async function calibrate(
  client: HttpClient,
  version: string,
  { tools, chosen }: { tools: ReadonlySet<string>; chosen: RoleTools | undefined },
): Promise<Map<Role, string>> {
  const miscast = new Map<Role, string>()
  const cast = [...(client.settings.roles ?? [])] as [Role, { tool: string }][]
  const tried = cast.filter(([role]) => trials[role] !== undefined && (chosen?.has(role) || !isFixture(tools)))
  await Promise.all(
    tried.map(async ([role, { tool }]) => {
      const got = await findMistake(client, version, trials[role])
      if (got === undefined) return
      miscast.set(
        role,
        `the tool "${tool}" does not play it, or the server loses what it sends: expected one that ${roles[role].does}, got ${got}`,
      )
    }),
  )
  return miscast
}

async function findMistake(client: HttpClient, version: string, trial: Trial | undefined): Promise<string | undefined> {
  const limit = patienceMs + 20 * (client.settings.roundTripMs ?? 0)
  const tryOut = async () => {
    const session = await openSession(client, version)
    await session.ensureListening()
    await trial?.(session)
    if (session.id !== undefined) await session.delete()
  }
  try {
    await within(tryOut(), limit, 'its answer')
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
