import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { startVitest } from 'vitest/node'
import { runConformance } from '../src/run-conformance.ts'
import { storeRequirements } from '../src/store/store-requirements.ts'
import { startWithMistakes } from './described/mistakes.ts'

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

  test('fails what is not met and not excluded at the levels that are named, and skips others with what was found', () => {
    const id = 'endpoint/unsupported-methods-are-405'
    expect(told.get(`a server at all levels > ${id}`)).toMatch(/^failed: SHOULD: /)
    for (const way of ['without exclusions', 'at one level']) {
      expect(told.get(`a server ${way} > ${id}`)).toMatch(/^skipped: SHOULD, not met: Expected status 405 or 501/)
    }
  })

  test('fails what the command fails, and nothing else', async () => {
    const server = await startWithMistakes()
    const only = ['endpoint/', 'session/']
    const report = await runConformance({ url: server.url, only })
    await server.close()
    const failed = report.results.filter(({ verdict }) => verdict === 'fail').map(({ id }) => id)
    const name = 'a server as in the command > '
    const red = [...told].filter(([test, result]) => test.startsWith(name) && result.startsWith('failed'))
    expect(failed).toEqual(['endpoint/405-lists-allowed-methods'])
    expect(red.map(([test]) => test.slice(name.length))).toEqual(failed)
    expect([report.counts.warn, report.counts.advice]).toEqual([1, 1])
  })

  test('skips what cannot be tested, with what is missing, and fails it when strict', () => {
    const [id, missing] = ['session/unknown-id-is-404', 'needs a server that gives session ids']
    expect(told.get(`a server without exclusions > ${id}`)).toBe(`skipped: ${missing}`)
    expect(told.get(`a server strictly > ${id}`)).toMatch(/^failed: /)
  })

  test('runs what could harm a server only when asked, as the command does', () => {
    const id = 'session/hostile-ids-are-refused'
    expect(told.get(`a server as in the command > ${id}`)).toBe(undefined)
    expect(told.get(`a server that nobody else uses > ${id}`)).toBe('passed')
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

test('describeStore lists the parts that are given or named, and all of a store that cannot be opened', async () => {
  const told = await describedIn('stores.ts', /keeps-records-apart|nothing-of-this-name/)
  const partsOf = (name: string) => {
    const listed = [...told.keys()].filter((test) => test.startsWith(`${name} > `))
    return [...new Set(listed.map((test) => test.split(' > ')[1]))]
  }
  expect(partsOf('a session store')).toEqual(['sessions'])
  expect(partsOf('named parts')).toEqual(['bus'])
  expect(partsOf('a store that cannot be opened')).toEqual(['sessions', 'events', 'bus'])
  expect([...told.keys()].filter((test) => test.startsWith('a store > '))).toHaveLength(storeRequirements.length)
})
