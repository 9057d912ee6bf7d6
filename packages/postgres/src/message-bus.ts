import { Channels, type MessageBus } from '@throughline/mcp-http-core'
import { Batches } from './batches.ts'
import { Bell } from './bell.ts'
import type { ClientPort, Row, Value } from './client/postgres-client.ts'
import type { Database } from './database.ts'
import { fromSeparated, fromStored, toArray, toName, toNotifyChannel, toSeparated, toStored } from './names.ts'
import { sweepMs } from './sweeper.ts'

/** How long, in milliseconds, until messages are looked for again. */
export const busTimes = {
  /** While they come, and nothing tells of them. */
  busy: 5,
  /** While none come. */
  quiet: 100,
  /** Where `NOTIFY` tells of them. */
  idle: 2_000,
  /** After so long without any notification one is sent. */
  silence: 30_000,
  /** Before another connection is tried in place of one that is gone. */
  pause: 1_000,
}

type Message = readonly [channel: string, text: string]

/** All that came since the last look. The function sees what the statement does. */
const look = `SELECT pg_current_snapshot()::text AS snapshot, pg_postmaster_start_time()::text AS server, m.id, m.channel, m.text
  FROM (VALUES (1)) one LEFT JOIN mcp.look_1($1::text::text[], $2::text::pg_snapshot) m ON true`

/** Nobody hears anything before the transaction is committed. */
export function toPublish(
  schema: string,
  messages: readonly Message[],
): readonly [text: string, values: readonly Value[]] {
  const sql = `WITH added AS (INSERT INTO "${schema}".message (channel, text)
      SELECT channel, text FROM unnest($1::text::text[], ${fromSeparated('$2')}) WITH ORDINALITY m (channel, text, at)
      ORDER BY at)
    SELECT pg_notify(channel, '') FROM unnest($3::text::text[]) channel`
  const channels = messages.map(([channel]) => channel)
  const heard = [...new Set(channels)].map((channel) => toNotifyChannel(schema, toName(channel)))
  const texts = toSeparated(messages.map(([, text]) => toStored(text)))
  return [sql, [toArray(channels.map(toName)), texts, toArray(heard)]]
}

/**
 * Messages are rows of a table. `NOTIFY` wakes whoever listens, on a connection of its own, and carries nothing: so it may
 * be missing, as behind PgBouncer, and that costs time only.
 */
export class PostgresBus implements MessageBus {
  readonly #database: Database
  readonly #bell: Bell
  readonly #times: typeof busTimes
  readonly #publishes: Batches<Message, undefined>
  readonly #channels = new Channels()
  /** What could be seen at the last look; `undefined` before the first. */
  #snapshot: string | undefined
  #server: unknown
  #lookedAt = 0
  #isBroken = false
  #looking: Promise<boolean> | undefined
  #isWoken = false
  #delay = 0
  #timer: NodeJS.Timeout | undefined

  /** `listening`: through what it can be listened. Without it messages are looked for. */
  constructor(database: Database, listening: ClientPort | undefined, times = busTimes) {
    this.#database = database
    this.#times = times
    this.#publishes = new Batches(async (messages: readonly Message[]) => {
      await database.write(...toPublish(database.schema, messages), true)
      this.published()
      return messages.map(() => undefined)
    })
    const onBreak = (): void => {
      this.#isBroken = true
      this.#lookNow()
    }
    this.#bell = new Bell({ database, listening, times, onRing: () => this.#lookNow(true), onBreak })
  }

  async publish(channel: string, message: string): Promise<void> {
    await this.#publishes.add([channel, message], message.length)
  }

  /** Messages are there. Where nobody hears `NOTIFY`, this is told by nothing else. */
  published(): void {
    this.#delay = this.#times.busy
    if (!this.#bell.isHeard) this.#lookNow()
  }

  async subscribe(
    channel: string,
    listener: (message: string) => void,
    missed: () => void = () => undefined,
  ): Promise<() => void> {
    const name = toName(channel)
    const isNew = !this.#channels.has(name)
    const leave = this.#channels.add(name, { listener, missed }, () => this.#close(name))
    if (isNew) this.#open(name)
    try {
      // What is published from now on is heard, once it is known what came before. A look that is under way does not ask
      // for this channel, and may see beyond what is published then.
      if (this.#snapshot === undefined || this.#looking !== undefined) await this.#look()
      await this.#bell.settled()
      return leave
    } catch (error) {
      leave()
      throw error
    }
  }

  #open(name: string): void {
    this.#bell.listen(toNotifyChannel(this.#database.schema, name))
    this.#wait()
  }

  #close(name: string): void {
    this.#bell.unlisten(toNotifyChannel(this.#database.schema, name))
    if (this.#channels.size > 0) return
    clearTimeout(this.#timer)
    this.#snapshot = undefined
  }

  #wait(): void {
    clearTimeout(this.#timer)
    if (this.#channels.size > 0) this.#timer = setTimeout(() => this.#lookNow(), this.#delay).unref()
  }

  #lookNow(isRung = false): void {
    if (this.#channels.size === 0) return
    clearTimeout(this.#timer)
    const { busy, quiet, idle } = this.#times
    const next = (isNew: boolean): void => {
      this.#bell.check(isNew && !isRung)
      this.#delay = isNew ? busy : Math.min(quiet, Math.max(busy, 2 * this.#delay))
      if (this.#bell.isHeard) this.#delay = idle
      this.#wait()
    }
    this.#look().then(next, () => next(false))
  }

  /** Whether there was anything. One look at a time; what is rung for meanwhile is looked for by another. */
  #look(): Promise<boolean> {
    this.#isWoken = this.#looking !== undefined
    this.#looking ??= this.#lookAll().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #lookAll(): Promise<boolean> {
    let isNew = false
    do {
      this.#isWoken = false
      if (await this.#lookOnce()) isNew = true
    } while (this.#isWoken)
    return isNew
  }

  async #lookOnce(): Promise<boolean> {
    const before = this.#snapshot
    const names = before === undefined ? [] : this.#channels.names
    const askedAt = performance.now()
    const rows = await this.#read(names, before ?? '1:1:')
    const [first] = rows
    // Messages may have been gone before it was answered, or were of a server that is another by now.
    const isLate = performance.now() - this.#lookedAt > sweepMs * 0.8
    if (before !== undefined && (isLate || first?.server !== this.#server)) this.#isBroken = true
    this.#snapshot = String(first?.snapshot)
    this.#server = first?.server
    this.#lookedAt = askedAt
    const messages = rows.filter(({ id }) => id !== null).sort((a, b) => Number(a.id) - Number(b.id))
    for (const { channel, text } of messages) this.#channels.tell(channel as string, fromStored(text as string))
    const hasMissed = this.#isBroken && before !== undefined
    this.#isBroken = false
    if (hasMissed) this.#channels.tellMissed()
    return messages.length > 0
  }

  async #read(names: readonly string[], snapshot: string): Promise<readonly Row[]> {
    try {
      return await this.#database.read(look, [toArray(names), snapshot], true)
    } catch (error) {
      this.#isBroken = true
      throw error
    }
  }
}
