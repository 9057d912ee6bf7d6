import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/**
 * Folders from the bottom up. A file imports from its own folder and from those before it, types included: so no two
 * folders need each other, and a folder can be read with nothing above it in mind. Files at the root stand in line by name.
 */
const order = [
  'queues',
  'promises',
  'option-checks.ts',
  'rpc',
  'backplane',
  'http',
  'diagnostics',
  'attendance',
  'stream',
  'call',
  'session',
  'options.ts',
  'resolve-options.ts',
  'cluster',
  'eras',
  'endpoint.ts',
  'observe',
  'node',
  'web',
  'index.ts',
]

const source = new URL('../src/', import.meta.url)
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

function read(file: string): string {
  return readFileSync(new URL(file, source), 'utf8')
}

function importsOf(file: string): string[] {
  const code = read(file).matchAll(/^(?:import|export) [^']*?from '(\.[^']+)'/gm)
  return [...code].map(([, from]) => new URL(from as string, new URL(file, source)).href.slice(source.href.length))
}

function placeOf(file: string): string {
  return file.split('/', 1)[0] as string
}

test('every folder, and every file at the root, has its place in the order', () => {
  expect([...new Set(files.map(placeOf))].toSorted()).toEqual(order.toSorted())
})

test.each(files)('imports of %s point down, types included', (file) => {
  const place = order.indexOf(placeOf(file))
  expect(importsOf(file).filter((imported) => order.indexOf(placeOf(imported)) > place)).toEqual([])
})

test('no file imports itself by way of others, within a folder either', () => {
  const values = files.map((file) => [file, valueImportsOf(file)] as const)
  const left = new Map(values)
  for (let before = -1; left.size !== before; ) {
    before = left.size
    for (const [file, imported] of left) if (!imported.some((other) => left.has(other))) left.delete(file)
  }
  expect([...left.keys()]).toEqual([])
})

function valueImportsOf(file: string): string[] {
  const code = read(file).matchAll(/^(?:import|export) ([^']*?)from '(\.[^']+)'/gm)
  return [...code]
    .filter(([, what]) => !/^type /.test(what as string) && /[{,*]\s*(?!type )\w/.test(what as string))
    .map(([, , from]) => new URL(from as string, new URL(file, source)).href.slice(source.href.length))
}

test('only node/ knows node: modules, and only revision.ts compares version strings', () => {
  for (const file of files) {
    if (!file.startsWith('node/')) expect(read(file), file).not.toMatch(/from 'node:/)
    const code = read(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    if (file !== 'rpc/revision.ts') expect(code, file).not.toMatch(/'20\d\d-\d\d-\d\d'/)
  }
})

test('no file has more than 300 lines', () => {
  expect(files.filter((file) => read(file).trimEnd().split('\n').length > 300)).toEqual([])
})

test('no function has more than 60 lines', () => {
  const functions = /^( *)(?:export )?(?:async )?(?:function\b|static |get |\*?#?\w+\().*\{\n[\s\S]*?\n\1\}$/gm
  const long = files.flatMap((file) => [...read(file).matchAll(functions)].map(([code]) => ({ file, code })))
  expect(long.length).toBeGreaterThan(300)
  expect(long.filter(({ code }) => code.split('\n').length > 60).map(({ file }) => file)).toEqual([])
})
