import {
  type Backplane,
  checkOptions,
  type LogOptions,
  logOptions,
  option,
  toBusMessage,
} from '@throughline/mcp-http-core'
import { aSchema } from './client/options.ts'
import { type PostgresClient, type PostgresTransaction, queryIn, toClientPort } from './client/postgres-client.ts'
import { Database } from './database.ts'
import { PostgresEventLog } from './event-log.ts'
import { PostgresBus, toPublish } from './message-bus.ts'
import { PostgresSessionStore } from './session-store.ts'
import { Sweeper } from './sweeper.ts'

export interface PostgresBackplaneOptions extends LogOptions {
  /**
   * Where {@link createTables} made the tables. Deployments that share a database need one each.
   * @default 'mcp'
   */
  schema?: string
  /**
   * Whose connections go to Postgres itself, where those of the client go through PgBouncer: `LISTEN` needs one for
   * itself. `false`: none listens, and messages are looked for up to every 100 milliseconds.
   * @default the client
   */
  listenOn?: PostgresClient | false
}

const table = {
  schema: option('mcp', aSchema),
  listenOn: option(undefined, aClientOrFalse),
  ...logOptions,
}

export interface PostgresBackplane extends Backplane {
  /**
   * As `endpoint.notify()`, in a transaction of yours: sessions hear of it when that is committed, and never if it is rolled
   * back. `client` is what you run the transaction on: a client of a pool of `pg`, or the `sql` that `begin` of `postgres`
   * gives. It needs no endpoint: a process that only changes data can call it.
   * @throws what the database says
   */
  notify(
    client: PostgresTransaction,
    notification: { method: string; params?: Record<string, unknown> },
    to?: { sessionKey: string },
  ): Promise<void>
}

/**
 * Keeps sessions, events and messages in Postgres 13 or later, so that several nodes serve one deployment, in tables that
 * {@link createTables} makes. The client stays yours: listen to its errors and end it. One more connection is open while
 * the endpoint listens for the messages of other nodes.
 * @throws TypeError for a bad option, naming it, and for what is no known client.
 */
export function postgresBackplane(client: PostgresClient, options: PostgresBackplaneOptions = {}): PostgresBackplane {
  const { schema, listenOn, retainMs, ...bounds } = checkOptions(table, options)
  const port = toClientPort(client)
  const database = new Database(port, schema)
  const sweeper = new Sweeper(database, retainMs)
  const listening = listenOn === undefined ? port : listenOn && toClientPort(listenOn)
  const bus = new PostgresBus(database, listening || undefined)
  return new TableBackplane(schema, {
    sessions: new PostgresSessionStore(database, sweeper),
    events: new PostgresEventLog({ database, sweeper, bus, bounds }),
    bus,
  })
}

class TableBackplane implements PostgresBackplane {
  readonly sessions: Backplane['sessions']
  readonly events: Backplane['events']
  readonly bus: Backplane['bus']
  // No property: the endpoint refuses what is no part of a backplane.
  readonly #schema: string

  constructor(schema: string, { sessions, events, bus }: Backplane) {
    this.#schema = schema
    this.sessions = sessions
    this.events = events
    this.bus = bus
  }

  async notify(...[client, notification, to]: Parameters<PostgresBackplane['notify']>): Promise<void> {
    const { channel, message } = toBusMessage(notification, to)
    await queryIn(client, ...toPublish(this.#schema, [[channel, message]]))
  }
}

function aClientOrFalse(value: unknown, name: string): PostgresClient | false | undefined {
  if (value !== undefined && value !== false) toClientPort(value, `${name}, where it is not false,`)
  return value as PostgresClient | false | undefined
}
