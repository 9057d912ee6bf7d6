/** Ids made of a real one that no server gave out. */
export function forgedFrom(eventId: string): string[] {
  const last = eventId.at(-1) ?? ''
  const other = last === 'Z' ? 'Y' : 'Z'
  return [`${eventId}Z`, `${eventId.slice(0, -1)}~`, `${eventId}${other}${other}${other}`, eventId.slice(0, -1) + other]
}

/** Every way to put parts of two ids together, at each boundary that both have. */
export function splicedFrom(one: string, other: string): string[] {
  const parts = (id: string) => id.split(/([^A-Za-z0-9]+)/)
  const [left, right] = [parts(one), parts(other)]
  const found = new Set<string>()
  for (let index = 1; index < Math.min(left.length, right.length); index++) {
    found.add([...left.slice(0, index), ...right.slice(index)].join(''))
    found.add([...right.slice(0, index), ...left.slice(index)].join(''))
  }
  const half = Math.floor(one.length / 2)
  found.add(one.slice(0, half) + other.slice(half))
  found.add(other.slice(0, half) + one.slice(half))
  return [...found].filter((id) => id !== one)
}

/** Ids near a real one: each number in it counted up and down, as one who guesses would. */
export function guessedFrom(eventId: string): string[] {
  const found = new Set<string>()
  for (const { 0: digits, index } of eventId.matchAll(/\d+/g)) {
    for (const step of [-2, -1, 1, 2]) {
      const value = Number(digits) + step
      if (value >= 0) found.add(eventId.slice(0, index) + value + eventId.slice(index + digits.length))
    }
  }
  return [...found].slice(0, 24)
}
