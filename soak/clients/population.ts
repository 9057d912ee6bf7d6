import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../random.ts'
import { floodingWithCalls, floodingWithNotifications } from './ill/floods.ts'
import { hostile } from './ill/hostile.ts'
import { abandoning, cuttingSockets, neverReading, parking, sendingPieces } from './ill/leaving.ts'
import { prying } from './ill/prying.ts'
import { cancelling, deleting, flooding, wellBehaved } from './well-behaved.ts'
import type { World } from './world.ts'

const behaviours = {
  wellBehaved,
  flooding,
  cancelling,
  deleting,
  abandoning,
  neverReading,
  cuttingSockets,
  parking,
  floodingWithCalls,
  floodingWithNotifications,
  sendingPieces,
  hostile,
  prying,
} as const

export type BehaviourName = keyof typeof behaviours
export const behaviourNames = Object.keys(behaviours) as BehaviourName[]

/** How often each is to be met. */
const allWeights: Readonly<Record<BehaviourName, number>> = {
  wellBehaved: 12,
  flooding: 2,
  cancelling: 3,
  deleting: 3,
  abandoning: 3,
  neverReading: 1,
  cuttingSockets: 2,
  parking: 2,
  floodingWithCalls: 1,
  floodingWithNotifications: 1,
  sendingPieces: 2,
  hostile: 3,
  prying: 3,
}

export interface PopulationOptions {
  readonly clients: number
  /** Those that take part; all, if not given. */
  readonly only?: readonly BehaviourName[] | undefined
}

/**
 * So many clients at the same time, one behaviour after the other, until the world stops; resolves when all have left.
 * Each behaviour is dealt to one of them before chance decides, so that short runs meet the rare ones too.
 */
export async function populate(world: World, random: Random, { clients, only }: PopulationOptions): Promise<void> {
  const names = random.shuffle(only ?? behaviourNames)
  const lanes = Array.from({ length: clients }, (_, lane) => {
    const dealt = names.filter((_name, index) => index % clients === lane)
    return behaveInTurn(world, random.fork(lane), { dealt, names })
  })
  await Promise.all(lanes)
}

interface Turns {
  readonly dealt: readonly BehaviourName[]
  readonly names: readonly BehaviourName[]
}

async function behaveInTurn(world: World, random: Random, { dealt, names }: Turns): Promise<void> {
  const weights = Object.fromEntries(names.map((name) => [name, allWeights[name]])) as Record<BehaviourName, number>
  for (let turn = 0; !world.stopped.aborted; turn++) {
    await behave(world, random, dealt[turn] ?? random.weighted(weights))
    await sleep(random.int(0, 500))
  }
}

async function behave(world: World, random: Random, name: BehaviourName): Promise<void> {
  world.ledger.met(name)
  try {
    await behaviours[name](world, random)
  } catch (error) {
    // A refused or broken connection where the behaviour expects none.
    world.ledger.fault('refused', `${name}: ${error instanceof Error ? error.stack : error}`)
  }
}
