import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/**
 * Imports point down only: a file may import values from files of lower levels, and types from its own level.
 */
const levels = [
  ['index.ts', 'node/index.ts', 'web/index.ts'],
  ['node/node-handler.ts', 'web/fetch-handler.ts'],
  ['endpoint.ts', 'bearer-auth.ts', 'node/node-request.ts', 'web/web-request.ts'],
  ['dispatch.ts', 'resume.ts'],
  ['sessions.ts'],
  ['watch.ts'],
  ['live-session.ts'],
  ['session-streams.ts'],
  ['exchange.ts', 'message-extra.ts', 'history-gap.ts', 'questions.ts'],
  ['reply.ts', 'guard.ts', 'read-message.ts'],
  ['options.ts', 'connection.ts', 'session-log.ts'],
  ['memory-backplane.ts', 'stream.ts', 'paced-sink.ts'],
  ['memory-event-log.ts'],
  [
    'memory-stream-log.ts',
    'host.ts',
    'media-types.ts',
    'session-id.ts',
    'session-record.ts',
    'event-id.ts',
    'revision.ts',
  ],
  [
    'node/on-close.ts',
    'deadline.ts',
    'linked-list.ts',
    'errors.ts',
    'headers.ts',
    'sse-format.ts',
    'http.ts',
    'server.ts',
    'backplane.ts',
  ],
  ['json-rpc.ts'],
]

const source = new URL('../src/', import.meta.url)
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const levelOf = (file: string): number => levels.findIndex((level) => level.includes(file))

function read(file: string): string {
  return readFileSync(new URL(file, source), 'utf8')
}

test('every file has a level', () => {
  expect(levels.flat().toSorted()).toEqual(files.toSorted())
})

test.each(files)('imports of %s point down', (file) => {
  for (const [, what, from] of read(file).matchAll(/^(?:import|export) ([^']*?)from '(\.[^']+)'/gm)) {
    const imported = new URL(from as string, new URL(file, source)).href.slice(source.href.length)
    const onlyTypes = /^type /.test(what as string) || !/[{,]\s*(?!type )\w/.test(what as string)
    const problem = `${file} imports ${onlyTypes ? 'types of ' : ''}${imported}`
    if (!onlyTypes) expect(levelOf(imported), problem).toBeGreaterThan(levelOf(file))
  }
})

test('only node/ knows node: modules, and only revision.ts compares version strings', () => {
  for (const file of files) {
    if (!file.startsWith('node/')) expect(read(file), file).not.toMatch(/from 'node:/)
    const code = read(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    if (file !== 'revision.ts') expect(code, file).not.toMatch(/'20\d\d-\d\d-\d\d'/)
  }
})
