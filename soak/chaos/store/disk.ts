import { execFileSync } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A folder on a disk of its own where that may be mounted: it can be filled then. */
export class Disk {
  readonly folder: string
  readonly #isMounted: boolean

  private constructor(folder: string, isMounted: boolean) {
    this.folder = folder
    this.#isMounted = isMounted
  }

  static async mount(megabytes: number): Promise<Disk> {
    const folder = await mkdtemp(join(tmpdir(), 'throughline-chaos-'))
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder], { stdio: 'ignore' })
      return new Disk(folder, true)
    } catch {
      console.warn('LEFT OUT: the disk is never full, because none can be mounted here')
      return new Disk(folder, false)
    }
  }

  /** Nothing more fits in, for a while. */
  async fill(ms: number): Promise<void> {
    if (!this.#isMounted) return
    const ballast = join(this.folder, 'ballast')
    const [handle, block] = [openSync(ballast, 'w'), Buffer.alloc(65_536)]
    const until = performance.now() + ms
    while (performance.now() < until) {
      try {
        for (;;) writeSync(handle, block)
      } catch {
        // It is full. What others give back is taken as well.
        await sleep(20)
      }
    }
    closeSync(handle)
    await rm(ballast)
  }

  async remove(): Promise<void> {
    if (this.#isMounted) execFileSync('umount', ['--lazy', this.folder])
    await rm(this.folder, { recursive: true, force: true })
  }
}
