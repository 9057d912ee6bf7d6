import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { adapters } from '../mounts/index.ts'

const root = new URL('../../', import.meta.url)

function namesIn(folder: string, ending: string): string[] {
  const files = readdirSync(new URL(folder, root)).filter((file) => file.endsWith(ending))
  return files.map((file) => file.slice(0, -ending.length)).toSorted()
}

interface Package {
  readonly name: string
  readonly isAdapter: boolean
}

function readPackage(folder: string): Package {
  const place = (file: string) => new URL(`packages/${folder}/${file}`, root)
  const { name } = JSON.parse(readFileSync(place('package.json'), 'utf8')) as { name: string }
  // Every adapter exports the same name. What is no library exports nothing.
  const index = existsSync(place('src/index.ts')) ? readFileSync(place('src/index.ts'), 'utf8') : ''
  return { name, isAdapter: /^export .*\bmcp\b/m.test(index) }
}

test('every package that mounts an endpoint has a record', () => {
  const mounting = readdirSync(new URL('packages/', root))
    .map(readPackage)
    .filter(({ isAdapter }) => isAdapter)
  const recorded = adapters.filter(({ framework }) => framework.length > 0).map((adapter) => adapter.package)
  expect([...new Set(recorded)].toSorted()).toEqual(mounting.map(({ name }) => name).toSorted())
})

test('every record is among the adapters', async () => {
  const files = namesIn('conformance/mounts/adapters/', '.ts')
  const modules = await Promise.all(files.map((file) => import(`../mounts/adapters/${file}.ts`)))
  const records = modules.flatMap((module) => Object.values<{ name: string }>(module))
  expect(records.map(({ name }) => name).toSorted()).toEqual(adapters.map(({ name }) => name).toSorted())
})

test('every adapter is held to the requirements in a file of its own', () => {
  expect(namesIn('conformance/test/mounts/', '.test.ts')).toEqual(adapters.map(({ name }) => name).toSorted())
  for (const { name } of adapters) {
    const file = readFileSync(new URL(`conformance/test/mounts/${name}.test.ts`, root), 'utf8')
    expect(file).toContain(`describeMounts('${name}')`)
  }
})

test('every framework has an example, so that the tour can be taken on it', () => {
  const packages = adapters.filter(({ framework }) => framework.length > 0)
  for (const { package: name } of packages) {
    const example = new URL(`examples/${name.replace('@throughline/mcp-http-', '')}/listen.ts`, root)
    expect(existsSync(example), example.pathname).toBe(true)
  }
})
