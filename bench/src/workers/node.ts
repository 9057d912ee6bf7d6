// So many workers of `node:cluster`, each a node, on one port, as one process that is asked: `node.mjs SETTINGS`.
import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import type { Asked, NodeSettings, Told } from '../cluster/node-process.ts'

type Answer = Extract<Told, { readonly value: number }>

async function ask(worker: Worker, asked: Asked): Promise<number> {
  const answering = once(worker, 'message') as Promise<[Answer]>
  worker.send(asked)
  return (await answering)[0].value
}

async function lead(count: number): Promise<void> {
  const workers = Array.from({ length: count }, () => cluster.fork())
  // Each asks for any port, and so all have the same one.
  const told = await Promise.all(workers.map((worker) => once(worker, 'message')))
  process.on('message', async (asked: Asked) => {
    const values = await Promise.all(workers.map((worker) => ask(worker, asked)))
    const { user, system } = process.cpuUsage()
    const own = asked === 'cpu' ? user + system : 0
    process.send?.({ asked, value: values.reduce((sum, value) => sum + value, own) } satisfies Told)
  })
  process.on('disconnect', () => process.exit(0))
  process.send?.(told[0]?.[0] as Told)
}

const { workers = 0 } = JSON.parse(process.argv[2] ?? '') as NodeSettings

if (cluster.isPrimary && workers > 0) await lead(workers)
else await import('../cluster/node.ts')
