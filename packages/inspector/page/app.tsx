import { useEffect, useState } from 'preact/hooks'
import type { Counts, SortKey } from '../src/protocol.ts'
import { bytes, count } from './format.ts'
import { HappeningList } from './happening-list.tsx'
import { SessionDetailView } from './session-detail.tsx'
import { SessionTable } from './session-table.tsx'
import { useLive } from './use-live.ts'

/** The session that the address names, so that it can be sent to a colleague, and Back works. */
function readHash(): string | undefined {
  return /^#session=(.+)$/.exec(location.hash)?.[1]
}

export function App() {
  const [session, setSession] = useState(readHash())
  const [text, setText] = useState('')
  const [sort, setSort] = useState<SortKey>('activity')
  const [page, setPage] = useState(0)
  const [isPaused, setPaused] = useState(false)
  const live = useLive({ text, sort, page, session, isPaused })
  const { view, happenings, error } = live

  useEffect(() => {
    const changed = (): void => setSession(readHash())
    addEventListener('hashchange', changed)
    return () => removeEventListener('hashchange', changed)
  }, [])

  const state = error ?? (isPaused ? 'Paused' : view ? 'Live' : 'Loading')
  return (
    <>
      <header>
        <h1>MCP inspector</h1>
        <p class={`state ${error ? 'bad' : isPaused ? '' : 'good'}`} role="status">
          {state}
        </p>
        <button type="button" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
          Pause
        </button>
        {view && <Numbers counts={view.counts} />}
      </header>
      <main class={session ? 'with-detail' : ''}>
        <SessionTable
          {...{ view, text, sort, session }}
          onText={(value) => {
            setText(value)
            setPage(0)
          }}
          onSort={setSort}
          onPage={setPage}
        />
        {session && (
          <SessionDetailView
            key={session}
            sessionKey={session}
            detail={view?.session}
            {...{ happenings, tick: view?.at ?? 0, onEnded: live.refresh }}
          />
        )}
        <section aria-labelledby="happenings">
          <h2 id="happenings">What happens on this node</h2>
          {view && !view.isObserved && (
            <p>This runtime has no diagnostics channels, so that nothing can be told of what happens.</p>
          )}
          <HappeningList happenings={happenings.slice(-100)} />
        </section>
      </main>
    </>
  )
}

function Numbers({ counts }: { counts: Counts }) {
  const numbers: readonly (readonly [string, string])[] = [
    ['sessions', count(counts.sessions)],
    ['running calls', count(counts.calls)],
    ['connections', count(counts.connections)],
    ['streams', count(counts.streams)],
    ['open questions', count(counts.questions)],
    ['undelivered', count(counts.undeliveredMessages)],
    ['events in the log', `${count(counts.logEvents)} (${bytes(counts.logBytes)})`],
  ]
  return (
    <dl class="numbers" aria-label="This node">
      {numbers.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
