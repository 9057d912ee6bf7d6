// Becomes src/tools/wait.ts.
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'

export const metadata = { name: 'wait', description: 'Waits' }

export const schema = { ms: z.number().describe('How long') }

// biome-ignore lint/style/noDefaultExport: it is what xmcp loads.
export default async function wait({ ms }) {
  await sleep(ms)
  return `waited ${ms} ms`
}
