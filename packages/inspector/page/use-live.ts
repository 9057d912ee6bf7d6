import { useEffect, useRef, useState } from 'preact/hooks'
import type { Happening, SortKey, View } from '../src/protocol.ts'
import { askView } from './ask.ts'

/** Time, in milliseconds, between an answer and the next question; more after an error. */
const everyMs = 1_000
const afterErrorMs = 4_000

/** Time, in milliseconds, after which an answer is missed. What is shown is as old then. */
const missedMs = 10_000

/** Happenings that the page keeps. */
const maxKept = 500

export interface LiveQuery {
  readonly text: string
  readonly sort: SortKey
  readonly page: number
  readonly session: string | undefined
  readonly isPaused: boolean
}

export interface Live {
  readonly view: View | undefined
  readonly happenings: readonly Happening[]
  readonly error: string | undefined
  /** Asks at once. */
  readonly refresh: () => void
}

/** Asks the server every second, while the page can be seen. */
export function useLive({ text, sort, page, session, isPaused }: LiveQuery): Live {
  const [view, setView] = useState<View>()
  const [error, setError] = useState<string>()
  const [round, setRound] = useState(0)
  const kept = useRef<readonly Happening[]>([])
  const since = useRef(0)

  useEffect(() => {
    const leaving = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    let isAsking = false
    const look = async (): Promise<void> => {
      if (isAsking || document.hidden) return
      isAsking = true
      const query = { q: text, sort, page: String(page), since: String(since.current), ...(session && { session }) }
      let pauseMs = everyMs
      const missing = setTimeout(() => setError('The server does not answer'), missedMs)
      try {
        const next = await askView(query, leaving.signal)
        // A server that has started anew counts anew.
        const before = next.lastSeq < since.current ? [] : kept.current
        if (next.happenings.length > 0) kept.current = [...before, ...next.happenings].slice(-maxKept)
        since.current = next.lastSeq
        setView(next)
        setError(undefined)
      } catch (fault) {
        if (leaving.signal.aborted) return
        pauseMs = afterErrorMs
        setError(fault instanceof Error ? fault.message : String(fault))
      } finally {
        clearTimeout(missing)
        isAsking = false
      }
      if (!isPaused && !leaving.signal.aborted) timer = setTimeout(look, pauseMs)
    }
    const seen = (): void => {
      clearTimeout(timer)
      if (!document.hidden && !isPaused) void look()
    }
    document.addEventListener('visibilitychange', seen)
    void look()
    return () => {
      leaving.abort()
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', seen)
    }
  }, [text, sort, page, session, isPaused, round])

  return { view, happenings: kept.current, error, refresh: () => setRound((n) => n + 1) }
}
