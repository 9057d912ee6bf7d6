import ora from 'ora'
import type { Result } from '../report.ts'
import { count, toOneLine } from './text.ts'

export interface ProgressOptions {
  readonly stream: NodeJS.WritableStream
  /** A terminal gets one line that is rewritten; anything else, such as a log of CI, a line for each failure. */
  readonly isTty: boolean
  /** Number of checks that will run. */
  readonly total: number
  /** Of the server under test. */
  readonly url?: string
}

/** Shows how far a run has come. */
export interface Progress {
  result(result: Result): void
  /** Removes the line. Without it the process does not end. */
  stop(): void
}

export function createProgress(options: ProgressOptions): Progress {
  return options.isTty && hasWidth(options.stream) ? createLine(options) : createLog(options)
}

/** `script` and containers give terminals of 0 columns, on which a line would wrap without end. */
function hasWidth(stream: NodeJS.WritableStream): boolean {
  return 'columns' in stream && typeof stream.columns === 'number' && stream.columns > 0
}

function createLog({ stream }: ProgressOptions): Progress {
  return {
    result: ({ verdict, id, message }) => {
      if (verdict === 'fail') stream.write(`✗ ${toOneLine(id)}: ${toOneLine(message)}\n`)
    },
    stop: () => undefined,
  }
}

function createLine({ stream, total, url = '' }: ProgressOptions): Progress {
  let done = 0
  let failed = 0
  const toText = (id: string) => {
    const failures = failed === 0 ? '' : `, ${count(failed, 'failure')}`
    return `${done} of ${total}${failures}  ${toOneLine(id)}`
  }
  // Raw mode would take Ctrl-C away from the handler that ends the run in good order.
  const line = ora({ stream, text: toText(url), color: false, discardStdin: false, isEnabled: true }).start()
  return {
    result: ({ verdict, id }) => {
      done += 1
      if (verdict === 'fail') failed += 1
      line.text = toText(id)
    },
    stop: () => {
      line.stop()
    },
  }
}
