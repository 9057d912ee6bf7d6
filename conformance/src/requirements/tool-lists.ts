import { expectEqual, expectThat, notTestable } from '../client/expect.ts'
import { entriesOf } from '../client/pages.ts'
import type { Session } from '../client/session.ts'
import { problemsOfNames, repeatedIn } from '../client/tool-names.ts'
import { requirement } from '../requirement.ts'

const spec = '2025-11-25/server/tools#tool-names'

async function toolNames(session: Session): Promise<string[]> {
  const tools = await entriesOf('tools', (params) => session.request('tools/list', params))
  const names = tools.flatMap(({ name }) => (typeof name === 'string' ? [name] : []))
  return names.length > 0 ? names : notTestable('the server lists no tools')
}

/** U. Lists of tools, up to 2025-11-25. */
export const toolListRequirements = [
  requirement({
    id: 'tool-lists/names-are-plain',
    title: 'Names of tools have 1 to 128 characters: letters, digits, underscores, hyphens and dots.',
    rows: ['R315'],
    level: 'SHOULD',
    spec,
    since: '2025-11-25',
    async check({ open }) {
      const problems = problemsOfNames(await toolNames(await open()))
      expectThat(problems.length === 0, `Expected plain names of tools, but ${problems.slice(0, 3).join(', ')}`)
    },
  }),
  requirement({
    id: 'tool-lists/names-are-unique',
    title: 'No two tools have the same name.',
    rows: ['R315'],
    level: 'SHOULD',
    spec,
    since: '2025-11-25',
    async check({ open }) {
      expectEqual(repeatedIn(await toolNames(await open())), [], 'the names that several tools have')
    },
  }),
]
