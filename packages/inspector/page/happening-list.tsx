import type { Happening } from '../src/protocol.ts'
import { clock, duration, shortKey } from './format.ts'

/** Newest first. */
export function HappeningList({ happenings }: { happenings: readonly Happening[] }) {
  if (happenings.length === 0) return <p>Nothing yet. What happens while this page is open comes here.</p>
  return (
    <ol class="happenings">
      {happenings.toReversed().map((happening) => (
        <li key={happening.seq}>
          <HappeningLine happening={happening} withSession />
        </li>
      ))}
    </ol>
  )
}

export function HappeningLine({ happening, withSession = false }: { happening: Happening; withSession?: boolean }) {
  const { at, kind, phase, title, outcome, durationMs, sessionKey, requestId } = happening
  return (
    <>
      <time>{clock(at)}</time> <b class={`kind ${kind}`}>{kind}</b> <span>{phaseName(happening)}</span> {title}
      {requestId !== undefined && <span class="key"> id {JSON.stringify(requestId)}</span>}
      {phase === 'end' && outcome && <i class={isBad(outcome) ? 'bad' : ''}> {outcome}</i>}
      {durationMs !== undefined && phase === 'end' && <span> after {duration(durationMs)}</span>}
      {withSession && sessionKey && (
        <>
          {' '}
          <a class="key" href={`#session=${sessionKey}`}>
            {shortKey(sessionKey)}
          </a>
        </>
      )}
    </>
  )
}

function phaseName({ kind, phase }: Happening): string {
  if (kind === 'refusal') return ''
  if (kind === 'stream') return phase === 'start' ? 'connection opened' : 'connection closed'
  return phase === 'start' ? 'began' : 'ended'
}

function isBad(outcome: string): boolean {
  return /^(error|cancelled|abandoned|broken|failed|gap|[45]\d\d )/.test(outcome)
}
