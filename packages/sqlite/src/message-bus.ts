import {
  type BusMessage,
  Channels,
  type MaybePromise,
  type MessageBus,
  type Subscription,
} from '@throughline/mcp-http-core'
import { Bell } from './bell.ts'
import type { Connection } from './database/connection.ts'
import { toName } from './names.ts'

/** How long, in milliseconds, until messages are looked for again. */
const times = {
  /** While they come. */
  busy: 1,
  /** Where nothing tells that there are any. */
  quiet: 10,
  /** Where the bell does. */
  idle: 250,
}

const pageSize = 200

/** Messages are rows of a table, in the order in which they were committed. Whoever listens looks for those after the last it has seen. */
export class SqliteBus implements MessageBus {
  readonly #connection: Connection
  readonly #bell: Bell
  readonly #channels = new Channels()
  /** Id of the last message that was seen. */
  #last = 0
  #isBroken = false
  #delay = times.busy
  #timer: NodeJS.Timeout | undefined

  constructor(connection: Connection, file: string) {
    this.#connection = connection
    this.#bell = new Bell(file, () => void this.#look())
    connection.onFailure = () => {
      this.#isBroken = true
    }
  }

  async publish(channel: string, message: string): Promise<void> {
    await this.#connection.write(() => this.insert([{ channel, message }]))
    this.published()
  }

  /** Within a write of the connection. */
  insert(messages: readonly BusMessage[]): void {
    const sql = 'INSERT INTO message (channel, text, at) VALUES (?, ?, ?)'
    for (const { channel, message } of messages)
      this.#connection.run(sql, toName(channel), message, this.#connection.now())
  }

  /** What was inserted is committed. */
  published(): void {
    this.#bell.ring()
    this.#lookSoon()
  }

  subscribe(
    channel: string,
    listener: (message: string) => void,
    missed: () => void = () => undefined,
  ): MaybePromise<() => void> {
    if (this.#channels.size > 0) return this.#subscribe(channel, { listener, missed })
    const begin = (): (() => void) => {
      this.#last = this.#findLast()
      this.#bell.listen()
      return this.#subscribe(channel, { listener, missed })
    }
    return this.#connection.read(begin)
  }

  close(): void {
    this.#channels.clear()
    clearTimeout(this.#timer)
    this.#bell.close()
  }

  #subscribe(channel: string, subscription: Subscription): () => void {
    const leave = this.#channels.add(toName(channel), subscription, () => {
      if (this.#channels.size === 0) this.#stop()
    })
    this.#lookSoon()
    return leave
  }

  #stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#bell.stop()
  }

  /** What is expected now comes soon. */
  #lookSoon(): void {
    this.#delay = times.busy
    this.#wait()
  }

  #wait(): void {
    clearTimeout(this.#timer)
    if (this.#channels.size > 0) this.#timer = setTimeout(() => void this.#look(), this.#delay).unref()
  }

  async #look(): Promise<void> {
    const isNew = await this.#hear()
    const longest = this.#bell.isHeard ? times.idle : times.quiet
    this.#delay = isNew ? times.busy : Math.min(longest, 2 * this.#delay)
    this.#wait()
  }

  /** Whether there was anything. Does not reject: what failed is tried again, and then something may have been missed. */
  async #hear(): Promise<boolean> {
    const before = this.#last
    try {
      const hasMissed = await this.#connection.read(() => this.#readAll())
      if (hasMissed) this.#channels.tellMissed()
    } catch {
      this.#isBroken = true
    }
    return this.#last !== before
  }

  /** Tells everyone. `true`: some are gone already, or may be. */
  #readAll(): boolean {
    let hasMissed = this.#isBroken
    // Another file may be there by now.
    if (this.#isBroken) this.#last = Math.min(this.#last, this.#findLast())
    this.#isBroken = false
    const sql = 'SELECT id, channel FROM message WHERE id > ? ORDER BY id LIMIT ?'
    for (let isMore = true; isMore; ) {
      const rows = this.#connection.all(sql, this.#last, pageSize)
      for (const { id, channel } of rows) {
        const isNext = id === this.#last + 1
        const isTold = this.#tell(id as number, channel as string)
        if (!isNext || !isTold) hasMissed = true
        this.#last = id as number
      }
      isMore = rows.length === pageSize
    }
    return hasMissed
  }

  /** `false`: it is gone by now. */
  #tell(id: number, channel: string): boolean {
    if (!this.#channels.has(channel)) return true
    const row = this.#connection.get('SELECT text FROM message WHERE id = ?', id)
    if (!row) return false
    this.#channels.tell(channel, row.text as string)
    return true
  }

  #findLast(): number {
    const row = this.#connection.get("SELECT seq FROM sqlite_sequence WHERE name = 'message'")
    return Number(row?.seq ?? 0)
  }
}
