import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { Answers, type AnswersParts } from '../src/cluster/answers.ts'
import type { Word } from '../src/cluster/wire.ts'

test('of requests that were answered only the answers are kept, for who has not heard them', async () => {
  const requests: WeakRef<object>[] = []
  const said: Word[] = []
  const answers = new Answers({
    say: (_node, word) => said.push(word),
    answer: async (request) => {
      requests.push(new WeakRef(request))
      return { status: 200, headers: {}, body: '{}' }
    },
    followers: undefined as unknown as AnswersParts['followers'],
    neighbours: undefined as unknown as AnswersParts['neighbours'],
  })
  for (let id = 0; id < 20; id++) {
    const request = { method: 'POST', url: '/mcp', headers: {}, body: { text: 'x'.repeat(1_000) } }
    answers.hear({ type: 'ask', id: `${id}`, from: 'other', request })
  }
  await sleep(5)
  setFlagsFromString('--expose_gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  expect(requests.filter((ref) => ref.deref() !== undefined)).toEqual([])
  said.length = 0
  answers.hear({ type: 'poke', id: '7', from: 'other' })
  expect(said).toEqual([{ type: 'answer', id: '7', outcome: { reply: { status: 200, headers: {}, body: '{}' } } }])
})
