import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { startVitest } from 'vitest/node'

const root = fileURLToPath(new URL('described', import.meta.url))

/** What vitest is told of each test whose name fits, by the names of its `describe` and itself. */
async function describedIn(file: string, testNamePattern: RegExp): Promise<Map<string, string>> {
  // A run that fails sets the exit code of its process, and these are to fail.
  const { exitCode } = process
  const vitest = await startVitest('test', [], {
    ...{ root, include: [file], testNamePattern, config: false, watch: false, reporters: [{}] },
  })
  process.exitCode = exitCode
  const told = vitest.state.getTestModules().flatMap(({ children }) =>
    [...children.allTests()].map((each): [string, string] => {
      const { state, errors, ...result } = each.result()
      const why = 'note' in result ? result.note : errors?.[0]?.message.split('\n')[0]
      return [each.fullName, why === undefined ? state : `${state}: ${why}`]
    }),
  )
  await vitest.close()
  return new Map(told)
}

describe('describeServer', () => {
  let told: Map<string, string>
  beforeAll(async () => {
    told = await describedIn('servers.ts', /(endpoint|session)\//)
  })

  test('skips what is excluded and not met, with the reason', () => {
    const id = 'a server with exclusions > endpoint/unsupported-methods-are-405'
    expect(told.get(id)).toBe('skipped: its framework answers 404')
  })

  test('skips what is excluded and cannot be tested, with the reason', () => {
    const area = [...told].filter(([name]) => name.startsWith('a server with exclusions > session/'))
    expect(new Set(area.map(([, result]) => result))).toEqual(new Set(['skipped: there are no sessions']))
  })

  test('fails an exclusion of what is met', () => {
    expect(told.get('a server with exclusions > endpoint/query-string-is-ignored')).toBe(
      'failed: Exclusion no longer needed: it passes. Its reason was: it was so last year',
    )
  })

  test('fails what is not met and not excluded', () => {
    expect(told.get('a server without exclusions > endpoint/unsupported-methods-are-405')).toMatch(/^failed: SHOULD: /)
  })

  test('skips what cannot be tested, with what is missing, and fails it when strict', () => {
    const [id, missing] = ['session/unknown-id-is-404', 'needs a server that gives session ids']
    expect(told.get(`a server without exclusions > ${id}`)).toBe(`skipped: ${missing}`)
    expect(told.get(`a server strictly > ${id}`)).toMatch(/^failed: /)
  })

  test('passes what was seen to be met', () => {
    expect(told.get('a server strictly > endpoint/query-string-is-ignored')).toBe('passed')
  })
})

test('describeStore skips what is excluded and not met, and fails an exclusion of what is met', async () => {
  const told = await describedIn('stores.ts', /(deleted-can-be-created-anew|create-adds-the-record)/)
  expect(told.get('a store > sessions > store/sessions/deleted-can-be-created-anew')).toBe(
    'skipped: its database keeps what was deleted',
  )
  expect(told.get('a store > sessions > store/sessions/create-adds-the-record')).toBe(
    'failed: Exclusion no longer needed: it passes. Its reason was: it was so last year',
  )
})
