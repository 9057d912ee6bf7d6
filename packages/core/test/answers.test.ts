import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { countAlive } from '../../../test-support/count-alive.ts'
import { stopClock } from '../../../test-support/stop-clock.ts'
import { Answers, type AnswersParts } from '../src/cluster/answers.ts'
import type { Word } from '../src/cluster/wire.ts'

const followers = undefined as unknown as AnswersParts['followers']
const request = { method: 'POST', url: '/mcp', headers: {}, body: { text: 'x'.repeat(1_000) } }

test('a request is left when nobody has asked for its answer for long, and is then lost for who asks after all', async () => {
  const clock = stopClock()
  const said: Word[] = []
  const gone: string[] = []
  const finish: (() => void)[] = []
  const answers = new Answers({
    say: (_node, word) => said.push(word),
    answer: (request) =>
      new Promise((resolve) => {
        request.onGone(() => gone.push('left'))
        finish.push(() => resolve({ status: 400, headers: {}, body: undefined }))
      }),
    followers,
  })
  answers.hear({ type: 'ask', id: 'a', from: 'other', request })
  await clock.pass(40_000)
  answers.hear({ type: 'poke', id: 'a', from: 'other' })
  await clock.pass(40_000)
  answers.lookAfter()
  expect(gone).toEqual([])
  await clock.pass(5_001)
  answers.lookAfter()
  expect(gone).toEqual(['left'])
  finish[0]?.()
  await sleep(5)
  said.length = 0
  answers.hear({ type: 'poke', id: 'a', from: 'other' })
  expect(said).toEqual([
    { type: 'taken', id: 'a' },
    { type: 'unknown', id: 'a' },
  ])
})

test('of requests that were answered only the answers are kept, for who has not heard them', async () => {
  const requests: WeakRef<object>[] = []
  const said: Word[] = []
  const answers = new Answers({
    say: (_node, word) => said.push(word),
    answer: async (request) => {
      requests.push(new WeakRef(request))
      return { status: 200, headers: {}, body: '{}' }
    },
    followers,
  })
  for (let id = 0; id < 20; id++) {
    answers.hear({ type: 'ask', id: `${id}`, from: 'other', request })
  }
  await sleep(5)
  expect(await countAlive(requests)).toBe(0)
  said.length = 0
  answers.hear({ type: 'poke', id: '7', from: 'other' })
  expect(said).toEqual([{ type: 'answer', id: '7', outcome: { reply: { status: 200, headers: {}, body: '{}' } } }])
})
