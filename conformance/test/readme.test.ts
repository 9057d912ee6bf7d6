import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { readBlocks } from '../../scripts/read-blocks.ts'
import { selectRequirements } from '../src/runner.ts'

const pathTo = (file: string) => fileURLToPath(new URL(file, import.meta.url))

const [sample = { line: 0, code: '' }, ...others] = readBlocks(readFileSync(pathTo('../README.md'), 'utf8'))

/** What the sample would be in a project of its own: a test beside its app. */
const project: Readonly<Record<string, string>> = {
  [pathTo('sample.ts')]: sample.code,
  [pathTo('../src/app.ts')]: "import express from 'express'\nexport const createApp = () => express()\n",
}

function typeCheck(): string[] {
  const { config } = ts.readConfigFile(pathTo('../../tsconfig.base.json'), ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, pathTo('..'))
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (name) => Object.hasOwn(project, name) || fileExists(name)
  host.readFile = (name) => project[name] ?? readFile(name)
  host.getSourceFile = (name, version, ...rest) => {
    const text = project[name]
    return text === undefined ? getSourceFile(name, version, ...rest) : ts.createSourceFile(name, text, version, true)
  }
  const program = ts.createProgram(Object.keys(project), options, host)
  return Object.keys(project).flatMap((name) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(name))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
  )
}

test('the sample of the README compiles', { timeout: 120_000 }, () => {
  expect(others).toEqual([])
  expect(typeCheck()).toEqual([])
})

test('the sample of the README shows options, with ids that there are', () => {
  expect(sample.code).toContain('strict: true')
  const ids = [...sample.code.matchAll(/id: '(.+?)'/g)].map(([, id]) => id ?? '')
  expect(ids).not.toEqual([])
  for (const id of ids) expect(selectRequirements([id]), id).not.toEqual([])
})
