import { join } from 'node:path'
import { Disk } from './disk.ts'

/** A file of SQLite that nodes share. */
export class SqliteStore {
  readonly #disk: Disk

  private constructor(disk: Disk) {
    this.#disk = disk
  }

  static async start(): Promise<SqliteStore> {
    return new SqliteStore(await Disk.mount(256))
  }

  get file(): string {
    return join(this.#disk.folder, 'mcp.db')
  }

  /** Nothing more fits in, for a while. */
  fill(ms: number): Promise<void> {
    return this.#disk.fill(ms)
  }

  stop(): Promise<void> {
    return this.#disk.remove()
  }
}
