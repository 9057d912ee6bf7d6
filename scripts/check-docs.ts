// Holds docs/options.md to what the code declares (the same options, the same defaults), the declared defaults to those
// that are used, and every relative link and named file of the documentation to one that exists.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import ts from 'typescript'
import { resolveOptions } from '../packages/core/src/resolve-options.ts'
import { findMissing, linksOf } from './markdown-links.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Which interface is described under which heading of docs/options.md. */
const described = [
  { file: 'packages/core/src/options.ts', declaration: 'EndpointOptions', heading: 'Options of an endpoint' },
  { file: 'packages/core/src/http/bearer-auth.ts', declaration: 'BearerAuthOptions', heading: 'Bearer tokens' },
  {
    file: 'packages/core/src/backplane/memory/memory-event-log.ts',
    declaration: 'MemoryEventLogOptions',
    heading: 'Memory backplane',
  },
]

interface Option {
  readonly name: string
  readonly required: boolean
  /** As written after `@default`; `undefined` without one. */
  readonly fallback: string | undefined
}

function readDeclared(file: string, declaration: string): Option[] {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true)
  const found = source.statements.find(
    (statement): statement is ts.InterfaceDeclaration =>
      ts.isInterfaceDeclaration(statement) && statement.name.text === declaration,
  )
  if (!found) throw new Error(`Expected interface ${declaration} in ${file}`)
  const extended = found.heritageClauses?.flatMap(({ types }) => types.map((type) => type.getText(source))) ?? []
  const inherited = extended.flatMap((name) => readDeclared(findImported(source, file, name), name))
  const own = found.members
    .filter((member) => ts.isPropertySignature(member) || ts.isMethodSignature(member))
    .map((member) => {
      const tag = ts.getJSDocTags(member).find(({ tagName }) => tagName.text === 'default')
      return {
        name: member.name.getText(source),
        required: member.questionToken === undefined,
        fallback: tag && ts.getTextOfJSDocComment(tag.comment)?.trim(),
      }
    })
  return [...inherited, ...own]
}

/** The file that a name comes from, which is this one where it is not imported. */
function findImported(source: ts.SourceFile, file: string, name: string): string {
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue
    const bindings = statement.importClause?.namedBindings
    if (!bindings || !ts.isNamedImports(bindings)) continue
    if (bindings.elements.some((element) => element.name.text === name)) {
      return join(dirname(file), statement.moduleSpecifier.text)
    }
  }
  return file
}

/** Types whose members or words a page names, all of them. */
const listed = [
  { file: 'packages/core/src/http/error-source.ts', declaration: 'ErrorSource', page: 'docs/options.md' },
  { file: 'packages/core/src/endpoint.ts', declaration: 'EndpointStats', page: 'docs/sessions-and-resumption.md' },
  { file: 'packages/core/src/endpoint.ts', declaration: 'Endpoint', page: 'packages/core/README.md' },
  {
    file: 'packages/core/src/cluster/endpoint-sessions.ts',
    declaration: 'EndpointSessions',
    page: 'packages/core/README.md',
  },
  {
    file: 'packages/core/src/cluster/endpoint-sessions.ts',
    declaration: 'SessionInfo',
    page: 'packages/core/README.md',
  },
]

/** Names of an interface's public members, or the words of a union. */
function readNames(file: string, declaration: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true)
  for (const statement of source.statements) {
    if (ts.isInterfaceDeclaration(statement) && statement.name.text === declaration)
      return statement.members
        .filter((member) => !isInternal(member))
        .flatMap(({ name }) => name?.getText(source) ?? [])
    if (ts.isTypeAliasDeclaration(statement) && statement.name.text === declaration)
      return [...statement.type.getText(source).matchAll(/'([^']+)'/g)].map(([, word = '']) => word)
  }
  throw new Error(`Expected ${declaration} in ${file}`)
}

function isInternal(member: ts.TypeElement): boolean {
  return ts.getJSDocTags(member).some(({ tagName }) => tagName.text === 'internal')
}

function checkNamed({ file, declaration, page }: (typeof listed)[number]): string[] {
  const code = withoutBlocks(readFileSync(join(root, page), 'utf8')).match(/`[^`]+`/g) ?? []
  const words = new Set(code.flatMap((text) => text.match(/[\w-]+/g) ?? []))
  return readNames(file, declaration).flatMap((name) => (words.has(name) ? [] : [`${page}: no word on ${name}`]))
}

function withoutBlocks(page: string): string {
  return page.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '')
}

/** The `### ` sections under one `## ` heading, by the option they name. */
function readDescribed(page: string, heading: string): Map<string, string> {
  const sections = new Map<string, string>()
  const part = page.split(/^## /m).find((each) => each.startsWith(`${heading}\n`))
  if (part === undefined) throw new Error(`Expected the heading "## ${heading}" in docs/options.md`)
  for (const section of part.split(/^### /m).slice(1)) {
    const [title = '', ...body] = section.split('\n')
    sections.set(title.replaceAll('`', '').trim(), body.join('\n').trim())
  }
  return sections
}

function compare(declared: readonly Option[], page: ReadonlyMap<string, string>): string[] {
  const problems: string[] = []
  for (const { name, required, fallback } of declared) {
    const text = page.get(name)
    if (text === undefined) {
      problems.push(`${name}: declared, but not described`)
      continue
    }
    const expected = required ? ['Required.'] : fallback === undefined ? ['Default: '] : defaultsLike(fallback)
    const first = text.split('\n')[0] ?? ''
    if (!expected.some((start) => first.startsWith(start))) {
      problems.push(`${name}: expected the text to start with "${expected[0]}", got "${first}"`)
    }
  }
  const names = new Set(declared.map(({ name }) => name))
  for (const name of page.keys()) if (!names.has(name)) problems.push(`${name}: described, but not declared`)
  return problems
}

const defaultsLike = (fallback: string) =>
  [`Default: \`${fallback}\``, `Default: ${fallback}`].flatMap((start) => [`${start}.`, `${start} (`])

/** What `@default` says against what an endpoint gets that sets nothing. Prose such as `192 random bits` is not compared. */
function compareUsed(declared: readonly Option[]): string[] {
  const used = resolveOptions({ server: () => ({ connect: async () => undefined, close: async () => undefined }) })
  return declared.flatMap(({ name, fallback }) => {
    if (fallback === undefined || !/^('.*'|\[.*\]|[\d_]+|true|false)$/.test(fallback) || !(name in used)) return []
    const value: unknown = used[name as keyof typeof used]
    const shown = value instanceof Set ? [...value] : value
    const written = JSON.parse(fallback.replaceAll('_', '').replaceAll("'", '"'))
    return isDeepStrictEqual(shown, written) ? [] : [`${name}: declared ${fallback}, used ${JSON.stringify(shown)}`]
  })
}

function listPages(folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules' || entry.name === 'dist' || entry.name === '.git') return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? listPages(path) : entry.name.endsWith('.md') ? [path] : []
  })
}

function isForUsers(page: string): boolean {
  return /^(docs|packages.\w+)[\\/]/.test(relative(root, page))
}

function isOfPackage(page: string): boolean {
  return /^(packages[\\/]\w+[\\/])?README\.md$/.test(relative(root, page))
}

function checkLinks(page: string): string[] {
  return linksOf(readFileSync(page, 'utf8')).flatMap((target) => {
    if (/^[a-z]+:/i.test(target)) return []
    const [path = '', anchor] = target.split('#')
    const missing = findMissing(path === '' ? page : join(dirname(page), path), anchor)
    return missing ? [`${relative(root, page)}: no ${missing} ${target}`] : []
  })
}

/** A block under `<!-- file: PATH -->` is that file, which has tests. */
function checkCopies(page: string): string[] {
  const copies = readFileSync(page, 'utf8').matchAll(/^<!-- file: (\S+) -->\n+```ts\n([\s\S]*?)^```$/gm)
  return Array.from(copies).flatMap(([, file = '', code]) =>
    readFileSync(join(root, file), 'utf8') === code ? [] : [`${relative(root, page)}: expected what is in ${file}`],
  )
}

/** A sample that imports `./server.ts` leaves a reader of its page alone who is not told what that is. */
function checkServerFile(page: string): string[] {
  const whole = readFileSync(page, 'utf8')
  const isAsked = whole.includes("from './server.ts'")
  const isTold = withoutBlocks(whole).includes('`server.ts`')
  return isAsked && !isTold ? [`${relative(root, page)}: expected it to say what server.ts is`] : []
}

/** The first program of a README can be saved, run and ended, and leaves the app its endpoint. */
function checkQuickStart(page: string): string[] {
  const whole = readFileSync(page, 'utf8')
  const program = /^```ts\n([\s\S]*?)^```$/m.exec(whole)?.[1] ?? ''
  if (!/\blisten\(|\bserve\(/.test(program)) return []
  const missing = [
    /const endpoint = createEndpoint\(/.test(program) || 'a handle of the endpoint',
    program.includes("process.once('SIGTERM'") || 'a shutdown',
    withoutBlocks(whole).includes('node server.mjs') || 'a file name and a command',
  ].filter((each) => each !== true)
  return missing.map((what) => `${relative(root, page)}: its first program is without ${what}`)
}

/** Files of the core that a page names. */
function checkFileNames(page: string): string[] {
  const files = readdirSync(join(root, 'packages/core/src'), { recursive: true, encoding: 'utf8' })
  const names = readFileSync(join(root, page), 'utf8').matchAll(/`((?:[a-z-]+\/)*[a-z-]+\.ts)`/g)
  return Array.from(names, ([, name = '']) => name)
    .filter((name) => !files.some((file) => file === name || file.endsWith(`/${name}`)))
    .map((name) => `no file ${name} in packages/core/src`)
}

const optionsPage = readFileSync(join(root, 'docs/options.md'), 'utf8')
let failed = false
function report(what: string, problems: readonly string[]): void {
  if (problems.length > 0) failed = true
  console.log([`${problems.length === 0 ? '✓' : '✗'} ${what}`, ...problems.map((each) => `  ${each}`)].join('\n'))
}

for (const { file, declaration, heading } of described) {
  const declared = readDeclared(file, declaration)
  report(
    `docs/options.md: ${declared.length} options of ${declaration}`,
    compare(declared, readDescribed(optionsPage, heading)),
  )
}
const options = readDeclared('packages/core/src/options.ts', 'EndpointOptions')
report('options.ts: declared defaults are those used', compareUsed(options))
for (const list of listed) report(`${list.page}: all of ${list.declaration}`, checkNamed(list))
const travels = 'docs/how-a-request-travels.md'
report(`files named in ${travels}`, checkFileNames(travels))
const pages = listPages()
report(`links of ${pages.length} pages`, pages.flatMap(checkLinks))
report('samples that are files', pages.flatMap(checkCopies))
report('samples that import one', pages.filter(isForUsers).flatMap(checkServerFile))
report('quick starts', pages.filter(isOfPackage).flatMap(checkQuickStart))
process.exitCode = failed ? 1 : 0
