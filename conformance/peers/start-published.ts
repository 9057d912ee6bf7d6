import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { startChild } from './child.ts'
import { install } from './install.ts'
import type { RunningPeer } from './listen.ts'
import type { Published } from './published.ts'

/** Installs it where that was not done yet, and starts it. */
export async function startPublished(peer: Published): Promise<RunningPeer> {
  const { packages, files = {}, env = {} } = peer
  const folder = await install(packages)
  for (const [file, program] of Object.entries(files)) await cp(join(folder, program), join(folder, file))
  return await startChild({ ...peer, folder, env })
}
