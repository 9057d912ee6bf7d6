import { createHash } from 'node:crypto'

/** Any text as a token of a subject. */
export function toToken(text: string): string {
  return createHash('sha256').update(text, 'utf16le').digest('base64url')
}

/** Milliseconds by a clock that only goes forward. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

const wrongLastSequence = 10_071

/** Another node has written since this one has read. */
export function isLate(error: unknown): boolean {
  return (error as { code?: unknown }).code === wrongLastSequence
}
