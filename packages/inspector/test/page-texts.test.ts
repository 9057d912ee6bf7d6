import { expect, onTestFinished, test, vi } from 'vitest'
import { dateAndClock, duration } from '../page/format.ts'

test.each([
  [9.96, '10 ms'],
  [999.6, '999 ms'],
  [59_960, '59.9 s'],
  [119_700, '1 min 59 s'],
  [7_199_000, '1 h 59 min'],
])('a duration of %d ms is told as a person would: %s', (ms, text) => {
  expect(duration(ms)).toBe(text)
})

test('a moment that may be days ago has its day', () => {
  expect(dateAndClock(new Date(2026, 6, 8, 9, 5, 7, 12).getTime())).toBe('2026-07-08 09:05:07.012')
})

test('a page to sign in, in place of an answer, is told as one', async () => {
  vi.stubGlobal('location', { pathname: '/inspector' })
  vi.stubGlobal('fetch', async () => new Response('<!doctype html><title>Sign in</title>'))
  onTestFinished(() => void vi.unstubAllGlobals())
  // Its types are a browser's.
  const page = await vi.importActual<{ askView(query: object, signal: AbortSignal): Promise<unknown> }>(
    '../page/ask.ts',
  )
  const asked = page.askView({}, new AbortController().signal)
  await expect(asked).rejects.toThrow('Expected JSON: load this page anew, to sign in where that is asked for')
})
