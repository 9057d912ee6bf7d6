import { rowsPerPage, type SessionRow, type SortKey, type View } from '../src/protocol.ts'
import { count, duration, nameOf, shortKey } from './format.ts'

const sorts: Readonly<Record<SortKey, string>> = {
  activity: 'last activity',
  newest: 'newest first',
  client: 'client',
  calls: 'running calls',
}

export interface SessionTableProps {
  readonly view: View | undefined
  readonly text: string
  readonly sort: SortKey
  readonly session: string | undefined
  readonly onText: (text: string) => void
  readonly onSort: (sort: SortKey) => void
  readonly onPage: (page: number) => void
}

export function SessionTable({ view, text, sort, session, onText, onSort, onPage }: SessionTableProps) {
  return (
    <section class="list" aria-labelledby="sessions">
      <h2 id="sessions">Sessions{view && `: ${describe(view, text)}`}</h2>
      <div class="tools">
        <label>
          Find{' '}
          <input
            type="search"
            value={text}
            placeholder="client, principal, node, key"
            onInput={({ currentTarget }) => onText(currentTarget.value)}
          />
        </label>
        <label>
          Order{' '}
          <select value={sort} onChange={({ currentTarget }) => onSort(currentTarget.value as SortKey)}>
            {Object.entries(sorts).map(([key, name]) => (
              <option key={key} value={key}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </div>
      <table>
        <caption class="unseen">Sessions of all nodes</caption>
        <thead>
          <tr>
            <th scope="col">Client</th>
            <th scope="col">Revision</th>
            <th scope="col">Principal</th>
            <th scope="col">Node</th>
            <th scope="col">Last activity</th>
            <th scope="col">Calls</th>
            <th scope="col">Connections</th>
          </tr>
        </thead>
        <tbody>
          {view?.rows.map((row) => (
            <Row key={row.key} row={row} isShown={row.key === session} />
          ))}
        </tbody>
      </table>
      {view && view.matching > rowsPerPage && <Pages view={view} onPage={onPage} />}
    </section>
  )
}

function describe({ total, matching, isPartial }: View, text: string): string {
  const all = `${count(total)}${isPartial ? ' and more' : ''}`
  return text === '' ? all : `${count(matching)} of ${all}`
}

function Row({ row, isShown }: { row: SessionRow; isShown: boolean }) {
  const { key, client, protocolVersion, principal, node, idleMs, runningCalls, connections } = row
  return (
    <tr class={isShown ? 'shown' : ''}>
      <th scope="row" data-name="Client">
        <a href={`#session=${key}`} aria-current={isShown ? 'true' : undefined}>
          {client} <span class="key">{shortKey(key)}</span>
        </a>
      </th>
      <td data-name="Revision">{protocolVersion}</td>
      <td data-name="Principal">{nameOf(principal)}</td>
      <td data-name="Node">{node === undefined ? 'none' : shortKey(node)}</td>
      <td data-name="Last activity">{lastActivity(idleMs)}</td>
      <td data-name="Calls">{runningCalls ?? '?'}</td>
      <td data-name="Connections">{connections ?? '?'}</td>
    </tr>
  )
}

export function lastActivity(idleMs: number | undefined): string {
  if (idleMs === undefined) return 'unknown'
  return idleMs === 0 ? 'now' : `${duration(idleMs)} ago`
}

function Pages({ view: { page, matching }, onPage }: { view: View; onPage: (page: number) => void }) {
  const last = Math.ceil(matching / rowsPerPage) - 1
  return (
    <nav class="tools" aria-label="Pages of sessions">
      <button type="button" disabled={page === 0} onClick={() => onPage(page - 1)}>
        Previous
      </button>
      <span>
        page {page + 1} of {count(last + 1)}
      </span>
      <button type="button" disabled={page === last} onClick={() => onPage(page + 1)}>
        Next
      </button>
    </nav>
  )
}
