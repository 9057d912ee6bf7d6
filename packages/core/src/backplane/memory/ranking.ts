import { createLink, type Link, LinkedList } from '../../queues/linked-list.ts'

/** Shares of the whole that are told apart: from a millionth to all of it many times over. */
const finest = 1_048_576
const levels = 33

/** Somebody's place in a {@link Ranking}. */
export interface Rank<T> {
  readonly link: Link<T>
  /** `-1` while in none. */
  level: number
}

export function createRank<T>(item: T): Rank<T> {
  return { link: createLink(item), level: -1 }
}

/**
 * Items by their share of the whole, to a factor of two. Such a rank changes seldom, and costs the same to change and to
 * find however many items there are.
 */
export class Ranking<T> {
  readonly #levels = Array.from({ length: levels }, () => new LinkedList<T>())

  /** `share` is a part of 1; it may be more. */
  put(rank: Rank<T>, share: number): void {
    const level = 32 - Math.clz32(Math.min(share * finest, 0xffff_ffff))
    if (level === rank.level) return
    this.remove(rank)
    rank.level = level
    this.#levels[level]?.append(rank.link)
  }

  remove(rank: Rank<T>): void {
    if (rank.level >= 0) this.#levels[rank.level]?.remove(rank.link)
    rank.level = -1
  }

  /** The item that has been longest among those with the largest share. */
  top(): T | undefined {
    for (let level = levels - 1; level >= 0; level--) {
      const first = this.#levels[level]?.first
      if (first) return first.item
    }
    return undefined
  }
}
