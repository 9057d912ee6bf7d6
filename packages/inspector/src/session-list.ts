import type { EndpointSessions, SessionInfo } from '@throughline/mcp-http-core'
import { toClient } from './happenings.ts'
import { rowsPerPage, type SessionRow, type SortKey } from './protocol.ts'
import { toLine } from './shown.ts'

/** Rows that are kept. Of more sessions the list shows a part, and says so. */
const maxRows = 100_000

/** A list is old after this time, in milliseconds, or after so many times the time that it took: 2 % of a core. */
const freshMs = 2_000
const restFactor = 50

/** Rows after which what else there is to do gets its turn: a store in memory gives all of them in one. */
const rowsPerTurn = 500

export interface ListQuery {
  /** Text that is in a row, in lower case. */
  readonly text: string
  readonly sort: SortKey
  readonly page: number
}

export interface ListPage {
  readonly total: number
  readonly isPartial: boolean
  readonly matching: number
  readonly page: number
  readonly rows: readonly SessionRow[]
}

interface Snapshot {
  readonly rows: readonly SessionRow[]
  readonly byKey: ReadonlyMap<string, SessionRow>
  readonly isPartial: boolean
  readonly oldAt: number
}

/** The sessions of all nodes, as they were a moment ago: read once for everybody who looks. */
export class SessionList {
  readonly #sessions: EndpointSessions
  #snapshot: Snapshot | undefined
  #reading: Promise<Snapshot> | undefined
  /** The query that was asked last, and its rows: the page asks the same again and again. */
  #asked:
    | {
        readonly snapshot: Snapshot
        readonly text: string
        readonly sort: SortKey
        readonly rows: readonly SessionRow[]
      }
    | undefined

  constructor(sessions: EndpointSessions) {
    this.#sessions = sessions
  }

  async page({ text, sort, page }: ListQuery): Promise<ListPage> {
    const snapshot = await this.#current()
    if (this.#asked?.snapshot !== snapshot || this.#asked.text !== text || this.#asked.sort !== sort) {
      this.#asked = { snapshot, text, sort, rows: select(snapshot.rows, text, sort) }
    }
    const { rows } = this.#asked
    const last = Math.max(0, Math.ceil(rows.length / rowsPerPage) - 1)
    const shown = Math.min(page, last)
    return {
      total: snapshot.rows.length,
      isPartial: snapshot.isPartial,
      matching: rows.length,
      page: shown,
      rows: rows.slice(shown * rowsPerPage, (shown + 1) * rowsPerPage),
    }
  }

  /** Begins to read, where it is due. */
  prepare(): void {
    this.#current().catch(() => undefined) // Whoever asks for it is told.
  }

  async find(key: string): Promise<SessionRow | undefined> {
    return (await this.#current()).byKey.get(key)
  }

  /** Nobody looks any more, or it has changed. */
  forget(): void {
    this.#snapshot = undefined
    this.#asked = undefined
    this.#reading = undefined
  }

  /** An old one is shown while the next is being read: the page asks again in a second. */
  async #current(): Promise<Snapshot> {
    const isOld = !this.#snapshot || performance.now() >= this.#snapshot.oldAt
    if (isOld) this.#reading ??= this.#begin()
    if (!this.#snapshot) return this.#reading as Promise<Snapshot>
    // Whoever waits for it next is told.
    this.#reading?.catch(() => undefined)
    return this.#snapshot
  }

  /** What is forgotten while it is being read is given to those who wait for it, and not kept. */
  #begin(): Promise<Snapshot> {
    const reading = this.#read()
      .then((snapshot) => {
        if (this.#reading === reading) this.#snapshot = snapshot
        return snapshot
      })
      .finally(() => {
        if (this.#reading === reading) this.#reading = undefined
      })
    return reading
  }

  async #read(): Promise<Snapshot> {
    const startedAt = performance.now()
    const rows: SessionRow[] = []
    let isPartial = false
    for await (const info of this.#sessions.list()) {
      if (rows.length === maxRows) {
        isPartial = true
        break
      }
      rows.push(toRow(info))
      if (rows.length % rowsPerTurn === 0) await new Promise((resolve) => setTimeout(resolve, 0))
    }
    const byKey = new Map(rows.map((row) => [row.key, row]))
    const endedAt = performance.now()
    const oldAt = endedAt + Math.max(freshMs, restFactor * (endedAt - startedAt))
    return { rows, byKey, isPartial, oldAt }
  }
}

export function toRow({
  key,
  initializeParams,
  protocolVersion,
  principal,
  node,
  createdAt,
  activity,
}: SessionInfo): SessionRow {
  return {
    key,
    client: toClient(initializeParams.clientInfo),
    protocolVersion,
    principal: principal === null ? null : toLine(principal, 200),
    node,
    createdAt,
    idleMs: activity?.idleMs,
    runningCalls: activity?.runningCalls,
    connections: activity?.connections,
  }
}

function select(rows: readonly SessionRow[], text: string, sort: SortKey): readonly SessionRow[] {
  const found = text === '' ? [...rows] : rows.filter((row) => contains(row, text))
  return found.sort(orders[sort])
}

function contains({ key, client, protocolVersion, principal, node }: SessionRow, text: string): boolean {
  return `${key}\n${client}\n${protocolVersion}\n${principal ?? ''}\n${node ?? ''}`.toLowerCase().includes(text)
}

const orders: Readonly<Record<SortKey, (a: SessionRow, b: SessionRow) => number>> = {
  activity: (a, b) =>
    (a.idleMs ?? Infinity) - (b.idleMs ?? Infinity) || callsOf(b) - callsOf(a) || b.createdAt - a.createdAt,
  newest: (a, b) => b.createdAt - a.createdAt,
  client: (a, b) => (a.client < b.client ? -1 : a.client > b.client ? 1 : b.createdAt - a.createdAt),
  calls: (a, b) => callsOf(b) - callsOf(a) || b.createdAt - a.createdAt,
}

function callsOf({ runningCalls = 0 }: SessionRow): number {
  return runningCalls
}
