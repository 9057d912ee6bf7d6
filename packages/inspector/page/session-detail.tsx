import { useEffect, useRef, useState } from 'preact/hooks'
import type { Happening, SessionDetail, StreamRow } from '../src/protocol.ts'
import { CallSequence } from './call-sequence.tsx'
import { EndSession } from './end-session.tsx'
import { count, dateAndClock, duration, eraOf, nameOf, pretty, shortKey } from './format.ts'
import { HappeningLine } from './happening-list.tsx'
import { lastActivity } from './session-table.tsx'
import { StreamReplay } from './stream-replay.tsx'

export interface SessionDetailProps {
  readonly sessionKey: string
  /** `null`: it has ended. */
  readonly detail: SessionDetail | null | undefined
  readonly happenings: readonly Happening[]
  readonly tick: number
  readonly onEnded: () => void
}

export function SessionDetailView({ sessionKey, detail, happenings, tick, onEnded }: SessionDetailProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [])
  return (
    <section class="detail" aria-labelledby="session">
      <h2 id="session" tabIndex={-1} ref={heading}>
        {detail?.row.client ?? 'Session'} <span class="key">{shortKey(sessionKey)}</span>
      </h2>
      <p class="tools">
        <a href="#sessions">Close</a>
        {detail && <EndSession sessionKey={sessionKey} client={detail.row.client} onEnded={onEnded} />}
      </p>
      {detail === null && <p role="status">This session has ended.</p>}
      {detail && <Facts detail={detail} />}
      {detail && <Streams sessionKey={sessionKey} streams={detail.streams} tick={tick} />}
      <Calls {...{ sessionKey, happenings, tick }} />
    </section>
  )
}

function Facts({ detail }: { detail: SessionDetail }) {
  const { row, initialized, endsInMs, logLevel, subscriptions } = detail
  const facts: readonly (readonly [string, string])[] = [
    ['Key', row.key],
    ['Era', eraOf(row.protocolVersion)],
    ['Principal', nameOf(row.principal)],
    ['Node', row.node ?? 'none has it now'],
    ['Opened', `${dateAndClock(row.createdAt)}${initialized ? '' : ', not initialized yet'}`],
    ['Last activity', lastActivity(row.idleMs)],
    ['Ends', endsInMs === undefined ? 'unknown' : `after ${duration(endsInMs)} without activity`],
    ['Running calls', String(row.runningCalls ?? 'unknown')],
    ['Connections', String(row.connections ?? 'unknown')],
    ['Log level', logLevel ?? 'not set'],
    ['Subscriptions', subscriptions.join(', ') || 'none'],
  ]
  return (
    <>
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <details>
        <summary>Capabilities</summary>
        <h4>Client</h4>
        <pre>{pretty(detail.clientCapabilities)}</pre>
        <h4>Server</h4>
        <pre>{pretty(detail.serverCapabilities)}</pre>
      </details>
    </>
  )
}

interface StreamsProps {
  readonly sessionKey: string
  readonly streams: readonly StreamRow[] | undefined
  readonly tick: number
}

function Streams({ sessionKey, streams, tick }: StreamsProps) {
  const [shown, setShown] = useState<string>()
  if (!streams) return <p>Its node does not say which streams it has.</p>
  return (
    <>
      <h3>Streams</h3>
      <ul class="streams">
        {streams.map((stream) => {
          const { streamTag } = stream
          const isShown = streamTag === shown
          return (
            <li key={streamTag}>
              <span>
                <b>{stream.kind}</b> <code>{streamTag}</code>
                {stream.requestIds.length > 0 &&
                  ` for id ${stream.requestIds.map((id) => JSON.stringify(id)).join(', ')}`}
                {`: ${progressOf(stream)}`}
              </span>
              <button type="button" aria-expanded={isShown} onClick={() => setShown(isShown ? undefined : streamTag)}>
                Replay<span class="unseen"> stream {streamTag}</span>
              </button>
              {isShown && <StreamReplay {...{ sessionKey, streamTag, tick }} />}
            </li>
          )
        })}
      </ul>
    </>
  )
}

function progressOf({ head, cursor, isRead, ended }: StreamRow): string {
  const had = cursor === undefined ? '' : `, its reader has ${cursor}`
  const state = ended ? 'ended' : isRead ? 'being read' : 'nobody reads it'
  return `${count(head, 'event')}${had}, ${state}`
}

interface CallsProps {
  readonly sessionKey: string
  readonly happenings: readonly Happening[]
  readonly tick: number
}

function Calls({ sessionKey, happenings, tick }: CallsProps) {
  const [followed, setFollowed] = useState<number>()
  const own = happenings.filter((happening) => happening.sessionKey === sessionKey)
  const calls = new Map<number, Happening>()
  // What is told at the end says more.
  for (const happening of own) if (happening.kind === 'call') calls.set(happening.thing, happening)
  return (
    <>
      <h3>Calls since this page was opened</h3>
      {calls.size === 0 && <p>None yet.</p>}
      <ol class="happenings">
        {[...calls.values()].toReversed().map((call) => {
          const isFollowed = call.thing === followed
          return (
            <li key={call.thing}>
              <HappeningLine happening={call} />{' '}
              <button
                type="button"
                aria-expanded={isFollowed}
                onClick={() => setFollowed(isFollowed ? undefined : call.thing)}
              >
                Follow<span class="unseen"> {call.title}</span>
              </button>
              {isFollowed && <CallSequence {...{ sessionKey, call, tick }} happenings={own} />}
            </li>
          )
        })}
      </ol>
    </>
  )
}
