import { expect, vi } from 'vitest'

export interface Deferred<T = void> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
}

export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

export async function waitFor(condition: () => boolean, limitMs = 5_000): Promise<void> {
  const deadline = Date.now() + limitMs
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Waited ${limitMs} ms in vain`)
    await sleep(5)
  }
}

/** Resolves when a count that has begun stands still: whoever counts is being held. */
export function standstill(count: () => number): Promise<number> {
  const hasStopped = async (): Promise<number> => {
    const before = count()
    await sleep(30)
    expect(count()).toBe(before)
    expect(before).toBeGreaterThan(0)
    return before
  }
  return vi.waitFor(hasStopped, { timeout: 5_000, interval: 5 })
}

/** The outcome of a promise that must not take the time that the whole test has. */
export async function within<T>(ms: number, outcome: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${ms} ms in vain`)), ms)
  })
  try {
    return await Promise.race([outcome, late])
  } finally {
    clearTimeout(timer)
  }
}
