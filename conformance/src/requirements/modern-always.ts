import type { CheckContext } from '../client/context.ts'
import { expectNone, unlessMissing } from '../client/expect.ts'
import { isObject } from '../client/json-rpc.ts'
import { discover, modernCall, modernList, modernTool } from '../client/modern.ts'
import { askable } from '../client/modern-answers.ts'
import { openListen } from '../client/modern-listen.ts'
import { askingRequests } from '../client/modern-rounds.ts'
import { requirement } from '../requirement.ts'

const lists = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list']

/** Uses what the server offers and what does no harm, so that there is something to see where this check runs alone. */
async function useEverything(context: CheckContext): Promise<void> {
  const { capabilities } = await discover(context)
  const offers = (method: string) => isObject(capabilities) && capabilities[method.split('/')[0] ?? ''] !== undefined
  for (const method of lists.filter(offers)) await modernCall(context, method, {}, { capabilities: askable })
  if (offers('resources')) {
    const [first] = await modernList(context, 'resources/list', 'resources')
    if (typeof first?.uri === 'string') await modernCall(context, 'resources/read', { uri: first.uri })
  }
  await modernCall(context, 'throughline/no-such-method')
  for (const role of ['echo', 'progress', 'log']) {
    if (context.target.roles.has(role)) await modernTool(context, role, {}, { meta: { progressToken: 'schema' } })
  }
  await unlessMissing(openListen(context).then((listening) => listening.first()))
  await unlessMissing(askingRequests(context))
}

/** What holds of every message of 2026-07-28, whatever the other checks read it for. It goes last. */
export const modernAlwaysRequirements = [
  requirement({
    id: 'always/modern-messages-fit-the-schema',
    title: 'Every message of 2026-07-28 that was read fits the schema of the revision.',
    rows: ['R313'],
    level: 'MUST',
    spec: '2026-07-28/basic#schema',
    era: 'modern',
    async check(context) {
      await useEverything(context)
      expectNone(context.target.witness.findings('modern-schema'))
    },
  }),
]
