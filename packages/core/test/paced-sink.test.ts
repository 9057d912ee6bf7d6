import { expect, test } from 'vitest'
import { PacedSink } from '../src/http/paced-sink.ts'

/** An outlet that takes `room` chunks, then wants no more until it has drained. */
function openSlow(room: number) {
  const taken: string[] = []
  let left = room
  let end: string | undefined
  let sink: PacedSink | undefined
  const body = { open: () => ({ drain: () => undefined, progress: () => undefined, gone: () => undefined }) }
  sink = PacedSink.open(body, {
    push: (chunk) => {
      taken.push(typeof chunk === 'string' ? chunk : new TextDecoder().decode(chunk))
      left--
      return left > 0
    },
    end: (text) => {
      end = text
    },
    destroy: () => undefined,
  })
  return {
    sink,
    text: () => taken.join('') + (end ?? ''),
    isEnded: () => end !== undefined,
    drain: () => {
      left = room
      sink.drained()
    },
  }
}

const large = 'x'.repeat(200_000)

test('what is written while pieces of a large text wait goes behind them', () => {
  const slow = openSlow(1)
  expect(slow.sink.write(large)).toBe(false)
  expect(slow.sink.write('small')).toBe(false)
  for (let i = 0; i < 10; i++) slow.drain()
  expect(slow.text()).toBe(`${large}small`)
})

test('an end that comes while pieces of a large text wait loses nothing', () => {
  const slow = openSlow(1)
  slow.sink.write(large)
  slow.sink.end('last words')
  expect(slow.isEnded()).toBe(false)
  for (let i = 0; i < 10; i++) slow.drain()
  expect(slow.isEnded()).toBe(true)
  expect(slow.text()).toBe(`${large}last words`)
})
