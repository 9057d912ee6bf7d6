import { useRef, useState } from 'preact/hooks'
import { endSession } from './ask.ts'

export interface EndSessionProps {
  readonly sessionKey: string
  readonly client: string
  readonly onEnded: () => void
}

export function EndSession({ sessionKey, client, onEnded }: EndSessionProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [error, setError] = useState<string>()
  const end = async (): Promise<void> => {
    try {
      await endSession(sessionKey)
      dialog.current?.close()
      onEnded()
    } catch (fault) {
      setError(fault instanceof Error ? fault.message : String(fault))
    }
  }
  return (
    <>
      <button type="button" class="danger" onClick={() => dialog.current?.showModal()}>
        End session
      </button>
      <dialog ref={dialog} aria-labelledby="end-title">
        <h3 id="end-title">End the session of {client}?</h3>
        <p>Its calls are cancelled and its streams end, on every node. The client has to start anew.</p>
        {error && (
          <p class="bad" role="alert">
            {error}
          </p>
        )}
        <p class="tools">
          <button type="button" onClick={() => dialog.current?.close()}>
            Keep it
          </button>
          <button type="button" class="danger" onClick={() => void end()}>
            End it
          </button>
        </p>
      </dialog>
    </>
  )
}
