import { useEffect, useRef, useState } from 'preact/hooks'
import type { StreamEvent } from '../src/protocol.ts'
import { askStream } from './ask.ts'

/** Events that the page keeps of a stream. */
const maxKept = 500

export interface StreamLog {
  readonly events: readonly StreamEvent[]
  readonly head: number
  readonly ended: boolean
  /** The log does not have the stream, or not any more. */
  readonly isGone: boolean
  readonly error: string | undefined
}

const nothing: StreamLog = { events: [], head: 0, ended: false, isGone: false, error: undefined }

/** The events of a stream, read from the log from the beginning, and those that come. `tick` says when to look again. */
export function useStream(key: string, streamTag: string | undefined, tick: number): StreamLog {
  const [log, setLog] = useState(nothing)
  const state = useRef({ name: '', log: nothing, isReading: false })
  const name = `${key} ${streamTag ?? ''}`
  useEffect(() => {
    let current = state.current
    if (current.name !== name) {
      current = { name, log: nothing, isReading: false }
      state.current = current
      setLog(nothing)
    }
    if (streamTag === undefined || current.isReading || isComplete(current.log)) return
    current.isReading = true
    const read = async (): Promise<void> => {
      try {
        const page = await askStream(key, streamTag, current.log.events.at(-1)?.index ?? 0)
        const events = [...current.log.events, ...(page?.events ?? [])].slice(-maxKept)
        const { head, ended } = page ?? current.log
        current.log = { events, head, ended, isGone: page === null, error: undefined }
      } catch (fault) {
        current.log = { ...current.log, error: fault instanceof Error ? fault.message : String(fault) }
      } finally {
        current.isReading = false
      }
      if (state.current === current) setLog(current.log)
    }
    void read()
  }, [name, tick])
  return log
}

function isComplete({ ended, isGone, events }: StreamLog): boolean {
  return isGone || (ended && events.at(-1)?.last === true)
}
