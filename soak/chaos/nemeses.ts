import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../random.ts'
import type { ChaosWorld } from './clients/chaos-world.ts'
import { type Deployment, leaseMs } from './deployment.ts'
import type { NemesisName, PlannedFault } from './plan.ts'
import { Probe, type Recovery } from './probe.ts'
import { spoil } from './rubbish.ts'
import { Store } from './store/store.ts'

export interface NemesisParts {
  readonly deployment: Deployment
  readonly world: ChaosWorld
  readonly random: Random
  readonly recoveries: Recovery[]
}

type Nemesis = (parts: NemesisParts, fault: PlannedFault) => Promise<void>

/** Between the shortest and the longest. */
function between(min: number, max: number, { strength }: PlannedFault): number {
  return Math.round(min + (max - min) * strength)
}

async function kill(parts: NemesisParts, fault: PlannedFault): Promise<void> {
  const { deployment, world, random, recoveries } = parts
  const probe = await Probe.open(deployment, world, random, fault.node)
  await deployment.node(fault.node).end('SIGKILL')
  const recovering = probe?.recover()
  await sleep(between(300, 2_500, fault))
  await deployment.startNode(fault.node)
  const recovery = await recovering
  if (recovery) recoveries.push(recovery)
}

/** It stands still for longer than its lease, and goes on as if nothing had been. */
async function stop({ deployment }: NemesisParts, fault: PlannedFault): Promise<void> {
  const node = deployment.node(fault.node)
  node.signal('SIGSTOP')
  await sleep(between(2 * leaseMs, 4 * leaseMs, fault))
  node.signal('SIGCONT')
}

async function deploy({ deployment }: NemesisParts, fault: PlannedFault): Promise<void> {
  deployment.unroute(fault.node)
  await deployment.node(fault.node).end('SIGTERM')
  await deployment.startNode(fault.node)
}

async function cutBus({ deployment }: NemesisParts, fault: PlannedFault): Promise<void> {
  for (let times = between(1, 20, fault); times > 0; times--) {
    await deployment.server.cutBus()
    await sleep(100)
  }
}

async function cutCommands({ deployment }: NemesisParts, fault: PlannedFault): Promise<void> {
  for (let times = between(1, 8, fault); times > 0; times--) {
    await deployment.server.cutCommands()
    await sleep(100)
  }
}

async function stall({ deployment }: NemesisParts, fault: PlannedFault): Promise<void> {
  deployment.server.signal('SIGSTOP')
  await sleep(between(500, 4_800, fault))
  deployment.server.signal('SIGCONT')
}

/** Nothing that it has acknowledged may be gone. */
async function crash({ deployment }: NemesisParts, fault: PlannedFault): Promise<void> {
  await deployment.postgres.crash(between(0, 3_000, fault))
}

async function restartEmpty({ deployment }: NemesisParts, fault: PlannedFault): Promise<void> {
  await deployment.losing(() => deployment.redis.restart(between(200, 3_000, fault)))
}

async function flush({ deployment }: NemesisParts): Promise<void> {
  await deployment.losing(() => deployment.server.flush())
}

/** Nothing more fits in. */
async function fill({ deployment }: NemesisParts, fault: PlannedFault): Promise<void> {
  const { store } = deployment
  if (!(store instanceof Store)) return await store.fill(between(500, 3_000, fault))
  await deployment.redis.admin((send) => send('CONFIG', 'SET', 'maxmemory', '1'))
  await sleep(between(500, 3_000, fault))
  await deployment.redis.admin((send) => send('CONFIG', 'SET', 'maxmemory', '0'))
}

async function slowDisk({ deployment }: NemesisParts, fault: PlannedFault): Promise<void> {
  await deployment.postgres.slowDown(between(1_000, 8_000, fault), between(20, 100, fault))
}

async function failOver({ deployment }: NemesisParts, fault: PlannedFault): Promise<void> {
  await deployment.losing(() => deployment.server.failOver(between(0, 300, fault)))
}

async function rubbish({ deployment, random }: NemesisParts): Promise<void> {
  const spoiled = await deployment.redis.admin((send) => spoil(send, random))
  for (const sessionKey of spoiled) deployment.journal.spoil(sessionKey)
}

export const nemeses: Readonly<Record<NemesisName, Nemesis>> = {
  kill,
  stop,
  deploy,
  'cut-bus': cutBus,
  'cut-commands': cutCommands,
  stall,
  crash,
  'restart-empty': restartEmpty,
  flush,
  fill,
  'fail-over': failOver,
  rubbish,
  'slow-disk': slowDisk,
}
