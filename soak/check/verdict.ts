// What the server's process shows, held to what it must be.
import type { Look } from '../server/commands.ts'
import type { Ledger } from './ledger.ts'

/**
 * What the heap may have grown by. Less than at the start is no fault: compiled code that is no longer used is dropped.
 */
const heapTolerance = 0.1

/** Adds a fault when something is left though all sessions are over. */
export function judgeHeld(ledger: Ledger, when: string, look: Look): void {
  const held = toHeld(look)
  if (held !== '') ledger.fault('held', `${when}: ${held}`)
}

/** Compares the heap after the warm-up with that at the end, in bytes, and says both. */
export function judgeHeap(ledger: Ledger, before: number, after: number): string {
  const growth = after / before - 1
  const text = `heap ${toMegabytes(before)} after warm-up, ${toMegabytes(after)} at the end, ${(growth * 100).toFixed(1)} %`
  if (growth > heapTolerance) ledger.fault('heap', text)
  return text
}

/** Adds what went wrong in the server's process without a client to see it. */
export function judgeErrors(ledger: Ledger, { stray, errors, foreignAnswers }: Look): void {
  for (const text of stray) ledger.fault('rejection', text)
  for (const text of errors) ledger.fault('error', text)
  for (const text of foreignAnswers) ledger.fault('foreign', text)
}

/** What is not 0, as text. */
export function toHeld({ stats, sockets }: Look): string {
  const { undeliveredMessages: _said, log, ...counts } = stats
  const ofLog = Object.entries(log).map(([name, count]) => [`log.${name}`, count] as const)
  const held = [...Object.entries(counts), ['sockets', sockets] as const, ...ofLog].filter(([, count]) => count !== 0)
  return held.map(([name, count]) => `${name} ${count}`).join(', ')
}

export function toMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
