import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createProject, sdks, templates } from '../src/create-project.ts'

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'create-mcp-http-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function readManifest(folder: string) {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
}

const projects = templates.flatMap((template) => sdks.map((sdk) => ({ template, sdk })))

test.each(projects)('makes a whole project of $template on SDK $sdk', async ({ template, sdk }) => {
  const folder = join(await emptyFolder(), 'My Server!')
  await createProject({ folder, template, sdk, range: '^1.2.3' })
  expect((await readdir(folder)).sort()).toEqual(
    ['.dockerignore', '.gitignore', 'Dockerfile', 'README.md', 'package.json', 'src', 'test'].concat([
      'tsconfig.build.json',
      'tsconfig.json',
    ]),
  )
  const { name, dependencies, devDependencies, scripts } = await readManifest(folder)
  expect(name).toBe('my-server')
  expect(scripts.start).toBe('node dist/main.js')
  expect(dependencies['@throughline/mcp-http-core']).toBe('^1.2.3')
  expect(Object.values({ ...dependencies, ...devDependencies })).not.toContain('*')
  expect(await readFile(join(folder, 'src', 'server.ts'), 'utf8')).toContain("name: 'my-server'")
  expect(await readFile(join(folder, 'README.md'), 'utf8')).not.toContain('NAME')
})

test('leaves a folder alone that holds anything', async () => {
  const folder = await emptyFolder()
  await writeFile(join(folder, 'notes.txt'), '')
  const made = createProject({ folder, template: 'koa', sdk: '1', range: '^1.2.3' })
  await expect(made).rejects.toThrow(/to be empty, it holds notes\.txt/)
  expect(await readdir(folder)).toEqual(['notes.txt'])
})
