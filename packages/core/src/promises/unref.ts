/** A timer that keeps no process alive. Not every runtime has `unref`, or timers that are objects. */
export function unref(timer: ReturnType<typeof setTimeout> | ReturnType<typeof setInterval>): void {
  if (typeof timer === 'object') timer.unref?.()
}
