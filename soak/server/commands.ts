import type { AdapterName } from '../../conformance/mounts/index.ts'
import type { EndpointStats } from '../../packages/core/src/index.ts'
import type { Breakage } from './breakage.ts'

/** Deadlines of the endpoint, in milliseconds. */
export interface Deadlines {
  readonly sessionIdleMs: number
  readonly initializeTimeoutMs: number
  readonly abandonAfterMs: number
  readonly keepAliveMs: number
  readonly stallMs: number
  readonly maxConnectionAgeMs: number
  readonly retryMs: number
  readonly upgradeAfterMs: number
  /** Of the event log. */
  readonly retainMs: number
}

/** Short, so that much happens; but a busy machine stops a process for seconds, and then no session may be over. */
export const shortDeadlines: Deadlines = {
  sessionIdleMs: 10_000,
  initializeTimeoutMs: 6_000,
  abandonAfterMs: 4_000,
  keepAliveMs: 1_000,
  stallMs: 1_500,
  maxConnectionAgeMs: 2_500,
  retryMs: 100,
  upgradeAfterMs: 30,
  // Longer than a client needs that cuts a large answer off again and again.
  retainMs: 20_000,
}

export interface ServerSettings {
  readonly mount: AdapterName
  readonly deadlines: Deadlines
}

/** What the server's process holds, and what went wrong in it since it began. */
export interface Look {
  readonly stats: EndpointStats
  readonly sockets: number
  /** Bytes in use: the heap, and what its objects hold outside. */
  readonly heap: number
  /** The longest time that the process was not there for anything, in milliseconds. */
  readonly longestPauseMs: number
  /** What `onError` heard. */
  readonly errors: readonly string[]
  /** Unhandled rejections, uncaught exceptions, warnings. */
  readonly stray: readonly string[]
  /** Answers that reached a session which had not asked for them. */
  readonly foreignAnswers: readonly string[]
}

/** What is asked of the server's process, and what it answers. */
export interface Commands {
  look: { readonly given: undefined; readonly answer: Look }
  /** A look after garbage was collected. */
  settle: { readonly given: undefined; readonly answer: Look }
  /** Misbehaves from now on; `undefined`: not any more. */
  break: { readonly given: Breakage | undefined; readonly answer: undefined }
  /** Drains the endpoint. */
  close: { readonly given: undefined; readonly answer: Look }
}

export type CommandName = keyof Commands

export interface ToServer {
  readonly seq: number
  readonly command: CommandName
  readonly given?: unknown
}

export type FromServer =
  | { readonly type: 'listening'; readonly url: string }
  | { readonly type: 'reply'; readonly seq: number; readonly value?: unknown; readonly error?: string }
