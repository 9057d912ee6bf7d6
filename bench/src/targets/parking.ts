const parked = new Set<() => void>()

/** Waits until {@link release}: a call that stays in flight without costing anything. */
export function park(): Promise<void> {
  return new Promise((resolve) => parked.add(resolve))
}

/** Ends every wait, and tells how many there were. */
export function release(): number {
  const { size } = parked
  for (const resolve of parked) resolve()
  parked.clear()
  return size
}

export function countParked(): number {
  return parked.size
}
