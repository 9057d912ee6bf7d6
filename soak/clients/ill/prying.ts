import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../random.ts'
import type { Mark, Step } from '../../script.ts'
import { makeCall } from '../call.ts'
import { Connection } from '../connection.ts'
import { lateMs } from '../inbox.ts'
import { gentle, pickManners } from '../manners.ts'
import { pickAsk } from '../scripts.ts'
import { type Message, SessionClient } from '../session-client.ts'
import { StandaloneListener } from '../standalone.ts'
import { isStream, readText } from '../wire.ts'
import type { World } from '../world.ts'
import { expectAlive } from './hostile.ts'

const events = { count: 20, size: 50, paceMs: 20, awaited: true }

/** Two sessions side by side: one lives properly, the other tries its event ids and answers its questions. */
export async function prying(world: World, random: Random): Promise<void> {
  const owner = await SessionClient.open(world, random)
  const thief = await SessionClient.open(world, random)
  if (!owner || !thief) return
  owner.answering = random.pick(['at once', 'twice', 'late'])
  const listener = new StandaloneListener(owner, pickManners(random))
  await makeCall(
    thief,
    { call: 'own', steps: [{ do: 'push', events: { ...events, paceMs: 0 } }], answerSize: 0 },
    { manners: gentle },
  )
  const stealing = steal(owner, thief, listener)
  const asking: Step = pickAsk(random, owner.answering === 'late' ? lateMs / 2 : 8_000)
  const steps: Step[] = [{ do: 'push', events }, asking, { do: 'report', kind: 'message', events }, asking]
  const played = await makeCall(owner, { call: 'watched', steps, answerSize: 100 }, { manners: pickManners(random) })
  await stealing
  if (owner.answering === 'late') await sleep(lateMs)
  if (played) await listener.finish(played.pushed)
  listener.leave()
  await expectAlive(thief)
  owner.leave()
  thief.leave()
}

async function steal(owner: SessionClient, thief: SessionClient, listener: StandaloneListener): Promise<void> {
  for (let i = 1; i <= 6; i++) {
    await sleep(thief.random.int(0, 150))
    await answerForeign(thief, `s1-${i}`)
    if (listener.lastEventId !== '') await resumeForeign(owner, thief, listener.lastEventId)
  }
}

/** The thief was asked nothing, so that no answer of its own can be right. */
async function answerForeign(thief: SessionClient, id: string): Promise<void> {
  const reply = await thief.post({ id, result: { nonce: 'stolen' } })
  const text = await readText(reply, thief.world.hungAfterMs)
  if (reply.status !== 400 && !thief.isOver)
    thief.fault('refused', `An answer to ${id}, never asked here: ${reply.status} ${text}`)
}

/**
 * Ids say nothing of the session, so one may happen to be right here too; then it must lead to the thief's own events.
 */
async function resumeForeign(owner: SessionClient, thief: SessionClient, eventId: string): Promise<void> {
  const reply = await thief.get(eventId)
  thief.note(`GET after ${eventId} of ${owner.name}: ${reply.status}`)
  if (!isStream(reply)) {
    await readText(reply, thief.world.hungAfterMs)
    if (reply.status === 400 || thief.isOver) return
    thief.fault('refused', `GET after ${eventId} of ${owner.name}: ${reply.status}`)
    return
  }
  const leave = thief.attend()
  const connection = new Connection(reply, {
    ...{ random: thief.random, manners: gentle, hungAfterMs: Infinity, note: () => undefined },
    canComeBack: () => true,
    onGap: () => undefined,
    onEvent: ({ data }) => {
      const mark = data === '' ? undefined : toMark(JSON.parse(data) as Message)
      if (mark && mark.session !== thief.name) thief.fault('foreign', `after ${eventId}: an event of ${mark.session}`)
    },
  })
  await Promise.race([connection.left, sleep(100)])
  connection.leave('left')
  await connection.left
  leave()
}

function toMark({ params, result }: Message): Mark | undefined {
  return params?.mark ?? result?.mark
}
