import { unref } from './unref.ts'

/** Time, in milliseconds, between two parts, and how many there are at most. */
const pauseMs = 100
const maxParts = 50

/** Items of one part at least: few need not wait. */
const minPart = 20

/**
 * Works on many items a part at a time, over 5 s at most: what clients are told all at once they all ask about at once,
 * on every node.
 */
export class Spread<T> {
  readonly #work: (item: T) => void
  #left: T[] = []
  #part = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(work: (item: T) => void) {
    this.#work = work
  }

  /** The first part at once. Begins anew where others are under way; `items` becomes its own. */
  begin(items: T[]): void {
    clearTimeout(this.#timer)
    this.#left = items
    this.#part = Math.max(minPart, Math.ceil(items.length / maxParts))
    this.#workOnPart()
  }

  /** Works on those that are left at once. */
  finish(): void {
    clearTimeout(this.#timer)
    for (const item of this.#left.splice(0)) this.#work(item)
  }

  #workOnPart(): void {
    for (const item of this.#left.splice(0, this.#part)) this.#work(item)
    if (this.#left.length === 0) return
    this.#timer = setTimeout(() => this.#workOnPart(), pauseMs)
    unref(this.#timer)
  }
}
