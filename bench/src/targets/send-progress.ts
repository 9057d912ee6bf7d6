export interface ProgressInput {
  readonly count: number
  readonly pace: 'burst' | 'paced'
}

/** Sends `count` events; `paced` lets the event loop turn between them. */
export async function sendProgress(
  { count, pace }: ProgressInput,
  send: (progress: number) => void | Promise<void>,
): Promise<void> {
  for (let progress = 1; progress <= count; progress++) {
    await send(progress)
    if (pace === 'paced') await new Promise((resolve) => setImmediate(resolve))
  }
}
