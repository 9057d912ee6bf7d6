/**
 * How much of what a check received is recorded. `kinds`: of the exchanges that ended by themselves each different line once,
 * without its numbers and without progress. `verdict`: nothing.
 */
export type Keep = 'all' | 'kinds' | 'verdict'

interface Unstable {
  readonly keep: Keep
  readonly because: string
}

/** Checks in which time or chance decides what comes, by id. Of all others everything is recorded. */
export const unstableAnswers: Readonly<Record<string, Unstable>> = {
  'cancel/ends-a-call-nobody-listens-to': { keep: 'kinds', because: 'cancels a call that reports by the clock' },
  'cancel/ends-a-json-answer': { keep: 'kinds', because: 'asks until its patience ends where answers are streams' },
  'cancel/ends-the-stream': { keep: 'kinds', because: 'cancels a call that reports by the clock' },
  'cancel/is-not-answered': { keep: 'kinds', because: 'cancels a call that reports by the clock' },
  'cancel/race-with-the-end-is-survived': { keep: 'kinds', because: 'cancels at random moments' },
  'get-stream/abort-before-the-head-does-no-harm': { keep: 'kinds', because: 'leaves while the head is on its way' },
  'limits/chunked-large-body-is-413': { keep: 'verdict', because: 'the answer or the reset may be seen first' },
  'limits/session-survives-a-large-body': { keep: 'verdict', because: 'the answer or the reset may be seen first' },
  'post-stream/disconnect-is-no-cancel': { keep: 'kinds', because: 'leaves a call that ends by the clock' },
  'post-stream/early-disconnect-does-no-harm': { keep: 'kinds', because: 'leaves while the head is on its way' },
  'post-stream/polling-delivers-exactly-once': {
    keep: 'kinds',
    because: 'is disconnected from a call that reports by the clock',
  },
  'resume/continues-a-running-call': { keep: 'kinds', because: 'leaves a call that reports by the clock' },
  'resume/cut-connections-lose-nothing': { keep: 'verdict', because: 'cuts by the clock' },
  'resume/random-disconnects-lose-nothing': { keep: 'kinds', because: 'leaves at random events' },
  'resume/random-disconnects-while-listening-lose-nothing': { keep: 'kinds', because: 'leaves at random moments' },
  'resume/takes-over-from-an-open-connection': {
    keep: 'kinds',
    because: 'comes back to a call that reports by the clock',
  },
  'resume/two-at-once-get-each-live-message-once': {
    keep: 'kinds',
    because: 'comes back to a call that reports by the clock',
  },
  'session/delete-ends-streams-and-handlers': { keep: 'kinds', because: 'ends a call that reports by the clock' },
  'sse/compression-does-not-buffer': { keep: 'kinds', because: 'leaves a call that reports by the clock' },
}
