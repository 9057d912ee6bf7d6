export const changesPerBurst = 1_000

/** What the load generator asks of a server's process, and what it answers. */
export interface Commands {
  /** CPU time since the process began, and memory as it is. */
  usage: Usage
  /** Collects garbage first. Never between timed slices: it throws compiled code away. */
  settle: Usage
  /** One notification to every session, `W8`. Resolves when all were handed over. */
  notify: { cpuUs: number }
  /** {@link changesPerBurst} changes of the list of tools: in one turn of the event loop, or one in each. */
  burst: Record<string, never>
  pacedBurst: Record<string, never>
  /** Some hundred calls of a target that is called in its own process, `W1`. */
  call: { count: number }
  parked: { count: number }
  release: { count: number }
  startProfile: Record<string, never>
  /** The two profiles as JSON text. */
  stopProfile: { cpu: string; heap: string }
}

export type CommandName = keyof Commands

export interface Usage {
  /** User and system time of every thread, in microseconds. */
  readonly cpuUs: number
  readonly heapUsed: number
  readonly rss: number
}

export type ToServer = { readonly seq: number; readonly command: CommandName }
export type FromServer =
  | { readonly type: 'listening'; readonly url: string }
  | { readonly type: 'reply'; readonly seq: number; readonly value?: unknown; readonly error?: string }
