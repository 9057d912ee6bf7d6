/** A database server that nodes share, as faults know it. */
export interface ServerStore {
  /** All its processes stand still, or go on. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  /** Breaks the connections that listen. */
  cutBus(): Promise<unknown>
  /** Breaks the others. */
  cutCommands(): Promise<unknown>
  /** Deletes all that there is. */
  flush(): Promise<unknown>
  /** A replica takes its place, without what was written in the last `lostMs`. */
  failOver(lostMs: number): Promise<void>
}
