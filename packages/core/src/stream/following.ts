import { LinkedList } from '../queues/linked-list.ts'
import type { Connection } from './connection.ts'

/**
 * Connections a session may have for what its client has not taken yet, each with a full queue, beside those that
 * follow what goes on: that one is the only one on its stream. A client whose network broke under many calls comes
 * back for their answers at once, and reads each in no time; those that are still there are the ones that nobody
 * reads.
 */
const maxSpare = 32

/** Connections of one session that GET has opened on a node, oldest first. */
export class Following extends LinkedList<Connection> {
  /**
   * Opens one more, given what it calls when it is closed. The oldest of too many is broken off: that one may come
   * again.
   */
  open(connect: (closed: () => void) => Connection): Connection {
    if (this.size >= maxSpare) this.#makeRoom()
    const connection = connect(() => this.remove(place))
    const place = this.add(connection)
    return connection
  }

  #makeRoom(): void {
    const spare = this.toArray().filter(({ isSpare }) => isSpare)
    if (spare.length >= maxSpare) spare[0]?.destroy()
  }
}
