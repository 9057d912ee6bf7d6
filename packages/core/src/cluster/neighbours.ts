import type { SessionStore } from '../backplane/backplane.ts'
import { unref } from '../promises/unref.ts'
import { LinkedList } from '../queues/linked-list.ts'

export interface NeighboursParts {
  readonly store: SessionStore
  readonly leaseMs: number
}

/** Longest time, in milliseconds, between two looks at a lease. */
const maxPauseMs = 400

/** Watches the leases of other nodes, as long as something waits for one of them. */
export class Neighbours {
  readonly #parts: NeighboursParts
  readonly #watchers = new Map<string, LinkedList<() => void>>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(parts: NeighboursParts) {
    this.#parts = parts
  }

  /** Calls `gone` once when the node's lease is over. Call what it returns to watch no longer. */
  watch(node: string, gone: () => void): () => void {
    const watchers = this.#watchers.get(node) ?? new LinkedList()
    this.#watchers.set(node, watchers)
    const link = watchers.add(gone)
    this.#timer ??= this.#later()
    let isWatching = true
    return () => {
      if (isWatching) watchers.remove(link)
      isWatching = false
      if (watchers.size === 0 && this.#watchers.get(node) === watchers) this.#watchers.delete(node)
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#watchers.clear()
  }

  #later(): ReturnType<typeof setTimeout> {
    const pauseMs = Math.max(10, Math.min(maxPauseMs, Math.floor(this.#parts.leaseMs / 4)))
    const timer = setTimeout(() => void this.#look(), pauseMs)
    unref(timer)
    return timer
  }

  async #look(): Promise<void> {
    await Promise.all([...this.#watchers.keys()].map((node) => this.#lookAt(node)))
    this.#timer = this.#watchers.size > 0 ? this.#later() : undefined
  }

  async #lookAt(node: string): Promise<void> {
    try {
      if (await this.#parts.store.hasLease(node)) return
    } catch {
      // A store that cannot be reached says nothing of other nodes.
      return
    }
    const watchers = this.#watchers.get(node)?.toArray() ?? []
    this.#watchers.delete(node)
    for (const gone of watchers) gone()
  }
}
