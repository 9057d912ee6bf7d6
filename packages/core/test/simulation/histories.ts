import type { LogEvent } from '../../src/index.ts'

/** What happened to one session, in its order. */
class History {
  /** Two hashes of 32 bits, of which 53 bits are kept. */
  #low = 0x811c9dc5
  #high = 0x9e3779b9
  hasAppended = false
  hasSuffered = false

  add(what: string): void {
    for (let i = 0; i < what.length; i++) {
      const code = what.charCodeAt(i)
      this.#low = Math.imul(this.#low ^ code, 0x01000193)
      this.#high = Math.imul(this.#high ^ code, 0x85ebca6b) ^ (this.#high >>> 13)
    }
    this.#low = Math.imul(this.#low ^ 0x0a, 0x01000193)
  }

  get hash(): number {
    return (this.#high >>> 11) * 4_294_967_296 + (this.#low >>> 0)
  }
}

/**
 * In which order each session met its appends, as they took effect, its takeovers, its commands that failed, messages of
 * it that were lost, and what befell the node that had it: that is counted as one interleaving. Nothing else is in it, not
 * what was delivered, nor what happened to other sessions and nodes.
 */
export class Histories {
  readonly #histories = new Map<string, History>()
  readonly #owners = new Map<string, string>()
  readonly #keys = new Map<string, string>()
  /** Keys of the sessions that requests between nodes are for, by their ids. */
  readonly #asked = new Map<string, string>()

  opened(sessionId: string, key: string): void {
    this.#keys.set(sessionId, key)
  }

  owned(key: string, owner: string, isTaken: boolean): void {
    this.#owners.set(key, owner)
    if (isTaken) this.#of(key, true).add('takeover')
  }

  appended(key: string, { streamTag, index, position }: LogEvent): void {
    const history = this.#of(key, false)
    history.hasAppended = true
    history.add(`${streamTag}.${index}.${position.term}`)
  }

  /** Of a command of the session, or of the lease of a node. */
  failed(what: string, keyOrNode: string): void {
    if (this.#histories.has(keyOrNode)) this.#of(keyOrNode, true).add(what)
    else this.befell(keyOrNode, what)
  }

  /** Of the sessions that the node has. */
  befell(node: string, what: string): void {
    for (const [key, owner] of this.#owners) if (owner === node) this.#of(key, true).add(what)
  }

  /** A message between nodes is on its way. */
  sent(message: string, isLost: boolean): void {
    const isAsk = message.startsWith('{"version":1,"type":"ask"')
    if (!isAsk && !isLost) return
    const [, type = '', id = ''] = /"type":"(\w+)","(?:id|sessionKey)":"([^"]+)"/.exec(message) ?? []
    if (isAsk) {
      const [, sessionId = ''] = /"mcp-session-id":"([^"]+)"/.exec(message) ?? []
      const key = this.#keys.get(sessionId)
      if (key !== undefined) this.#asked.set(id, key)
    }
    const key = this.#asked.get(id) ?? id
    if (isLost && this.#histories.has(key)) this.#of(key, true).add(`lost ${type}`)
  }

  /** One hash for each session that appended something and had something go wrong. */
  toHashes(): number[] {
    const counted = [...this.#histories.values()].filter(({ hasAppended, hasSuffered }) => hasAppended && hasSuffered)
    return counted.map(({ hash }) => hash)
  }

  #of(key: string, suffers: boolean): History {
    let history = this.#histories.get(key)
    if (!history) {
      history = new History()
      this.#histories.set(key, history)
    }
    if (suffers) history.hasSuffered = true
    return history
  }
}
