import { expect, test } from 'vitest'
import { Journal } from '../check/journal.ts'
import { StreamCheck } from '../check/stream-check.ts'
import { faultKinds, Tally } from '../check/tally.ts'

const sessionKey = 'key'

function toData(n: number, session = 'me'): string {
  return JSON.stringify({ method: 'notifications/message', params: { mark: { session, n } } })
}

/** A client gets events that were appended to the log as 1, 2, 3, 4. */
function createCheck() {
  const tally = new Tally()
  const journal = new Journal()
  for (let n = 1; n <= 4; n++) {
    journal.append({ sessionKey, place: `p1-1.1-${n}`, streamTag: 'p1-1', index: n, data: toData(n) })
    journal.acked(sessionKey, `p1-1.1-${n}`)
  }
  const check = new StreamCheck({ tally, journal, sessionKey, name: 'a call', client: 'me' })
  const take = (n: number, data = toData(n)) => check.take({ id: `p1-1.${n}.1-${n}`, data })
  const toFound = () => {
    check.judge(true)
    return faultKinds.filter((kind) => tally.faults[kind] > 0)
  }
  check.connected(false)
  return { check, journal, take, toFound, tally }
}

test('finds nothing when all came', () => {
  const { take, toFound, tally } = createCheck()
  for (let n = 1; n <= 4; n++) take(n)
  expect(toFound()).toEqual([])
  expect(tally.figures.events).toBe(4)
})

test('sees each acknowledged event that is left out, within the stream and at its end', () => {
  const { take, toFound, tally } = createCheck()
  take(1)
  take(3)
  expect(toFound()).toEqual(['lost'])
  expect(tally.faults.lost).toBe(2)
})

test('forgives what the client was told of, once', () => {
  const { check, take, toFound, tally } = createCheck()
  check.connected(true)
  take(2)
  take(4)
  expect(toFound()).toEqual(['lost'])
  expect(tally.faults.lost).toBe(1)
})

test('does not miss what the log did not acknowledge, or what came without an id', () => {
  const { check, journal, take, toFound } = createCheck()
  journal.append({ sessionKey, place: 'p1-1.1-5', streamTag: 'p1-1', index: 5, data: toData(5) })
  for (const n of [1, 2]) take(n)
  check.take({ id: undefined, data: toData(3) })
  take(4)
  expect(toFound()).toEqual([])
})

test.each([
  ['twice', [1, 2, 3, 4, 4], 'doubled'],
  ['late', [1, 3, 2, 4], 'reordered'],
] as const)('sees an event that comes %s', (_what, numbers, kind) => {
  const { take, toFound } = createCheck()
  for (const n of numbers) take(n)
  expect(toFound()).toContain(kind)
})

test('takes the first event from wherever an owner began later', () => {
  const { check, take, toFound } = createCheck()
  check.take({ id: 'p1-1.0.3-0', data: '' })
  for (let n = 1; n <= 4; n++) take(n)
  expect(toFound()).toEqual([])
})

test('sees what was not appended at this place', () => {
  for (const id of ['p1-1.4.1-4', 'p1-1.5.1-5']) {
    const { check, take, toFound } = createCheck()
    for (let n = 1; n <= 3; n++) take(n)
    check.take({ id, data: toData(7) })
    expect(toFound()).toContain('phantom')
  }
})

test('counts what a node sent that had lost the session to another', () => {
  const { check, journal, take, toFound, tally } = createCheck()
  for (let n = 1; n <= 4; n++) take(n)
  journal.append({ sessionKey, place: 'p1-1.1-5', streamTag: 'p1-1', index: 5, data: toData(5) })
  journal.fenced(sessionKey, 'p1-1.1-5')
  check.take({ id: undefined, data: toData(5) })
  expect(toFound()).toEqual([])
  expect(tally.figures['without id, of a node that was fenced']).toBe(1)
})

test('sees what belongs to another session or stream', () => {
  const one = createCheck()
  one.take(1, toData(1, 'another'))
  expect(one.toFound()).toContain('foreign')
  const other = createCheck()
  other.take(1)
  other.check.take({ id: 'p1-2.2.1-2', data: toData(2) })
  expect(other.toFound()).toContain('foreign')
})
