// Type-checks every ```ts block of the documentation, as if it stood in a file of examples/: a package's README in the
// folder of that package, pages about what is seen of a server in examples/otel, everything else in examples/pages.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { readBlocks } from './read-blocks.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

function listPages(): string[] {
  const packages = readdirSync(join(root, 'packages')).map((name) => join('packages', name, 'README.md'))
  const docs = readdirSync(join(root, 'docs')).map((name) => join('docs', name))
  return ['README.md', ...packages, ...docs].filter((page) => page.endsWith('.md'))
}

/** Pages about what is seen of a server, whose code needs what that example has. */
const observed = /^docs.(?:logging|metrics|tracing)\.md$/

function folderOf(page: string): string {
  const name = /^packages.(\w+)/.exec(page)?.[1] ?? (observed.test(page) ? 'otel' : 'pages')
  const folder = join(root, 'examples', name)
  return existsSync(folder) ? folder : join(root, 'examples', 'pages')
}

/** Blocks by the file name they get, with blank lines before each, so that lines are those of the page. */
function toFiles(page: string): [string, string][] {
  return readBlocks(readFileSync(join(root, page), 'utf8')).map(({ line, code }) => {
    const name = `${page.replaceAll(/\W/g, '-')}-${line - 1}.ts`
    return [join(folderOf(page), name), `${'\n'.repeat(line - 1)}${code}\nexport {}`]
  })
}

const pages = listPages()
const blocks = new Map<string, { page: string; text: string }>()
for (const page of pages) for (const [name, text] of toFiles(page)) blocks.set(name, { page, text })

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
