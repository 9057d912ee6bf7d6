// Type-checks every ```ts block of the documentation, as if it stood in a file of examples/: an adapter's README in the
// folder of that adapter, everything else in examples/express.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))

function listPages(): string[] {
  const packages = readdirSync(join(root, 'packages')).map((name) => join('packages', name, 'README.md'))
  const docs = readdirSync(join(root, 'docs')).map((name) => join('docs', name))
  return ['README.md', ...packages, ...docs].filter((page) => page.endsWith('.md'))
}

function folderOf(page: string): string {
  const adapter = /^packages.(\w+)/.exec(page)?.[1] ?? 'express'
  const folder = join(root, 'examples', adapter)
  return existsSync(folder) ? folder : join(root, 'examples', 'express')
}

/** Blocks by the file name they get, with blank lines before each, so that lines are those of the page. */
function readBlocks(page: string): Map<string, string> {
  const blocks = new Map<string, string>()
  let block: string[] | undefined
  let start = 0
  for (const [index, line] of readFileSync(join(root, page), 'utf8').split('\n').entries()) {
    if (block === undefined && line.trim() === '```ts') {
      block = Array.from({ length: index + 1 }, () => '')
      start = index + 1
    } else if (block !== undefined && line.trim() === '```') {
      const name = `${page.replaceAll(/\W/g, '-')}-${start}.ts`
      blocks.set(join(folderOf(page), name), [...block, 'export {}'].join('\n'))
      block = undefined
    } else block?.push(line)
  }
  return blocks
}

const pages = listPages()
const blocks = new Map<string, { page: string; text: string }>()
for (const page of pages) for (const [name, text] of readBlocks(page)) blocks.set(name, { page, text })

const { config } = ts.readConfigFile(join(root, 'tsconfig.base.json'), ts.sys.readFile)
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
const host = ts.createCompilerHost({ ...options, noUnusedLocals: false })
const { fileExists, getSourceFile, readFile } = host
host.fileExists = (name) => blocks.has(name) || fileExists(name)
host.readFile = (name) => blocks.get(name)?.text ?? readFile(name)
host.getSourceFile = (name, languageVersion, ...rest) => {
  const block = blocks.get(name)
  if (block === undefined) return getSourceFile(name, languageVersion, ...rest)
  return ts.createSourceFile(name, block.text, languageVersion, true)
}

const program = ts.createProgram([...blocks.keys()], { ...options, noUnusedLocals: false }, host)
const problems: string[] = []
for (const [name, { page }] of blocks) {
  const source = program.getSourceFile(name)
  for (const { start, messageText } of ts.getPreEmitDiagnostics(program, source)) {
    const line = source && start !== undefined ? source.getLineAndCharacterOfPosition(start).line + 1 : 0
    problems.push(
      `${relative(root, join(root, page))}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n    ')}`,
    )
  }
}
console.log(`${problems.length === 0 ? '✓' : '✗'} ${blocks.size} code blocks of ${pages.length} pages`)
for (const problem of problems) console.log(`  ${problem}`)
process.exitCode = problems.length === 0 ? 0 : 1
