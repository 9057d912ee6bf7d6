// Holds docs/options.md to what the code declares (the same options, the same defaults), the declared defaults to those
// that are used, and every relative link and named file of the documentation to one that exists.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import ts from 'typescript'
import { resolveOptions } from '../packages/core/src/resolve-options.ts'

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
  return found.members
    .filter((member) => ts.isPropertySignature(member) || ts.isMethodSignature(member))
    .map((member) => {
      const tag = ts.getJSDocTags(member).find(({ tagName }) => tagName.text === 'default')
      return {
        name: member.name.getText(source),
        required: member.questionToken === undefined,
        fallback: tag && ts.getTextOfJSDocComment(tag.comment)?.trim(),
      }
    })
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

/** GitHub's name of a heading. */
const toAnchor = (heading: string) =>
  heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

function anchorsOf(markdown: string): Set<string> {
  const headings = markdown.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.+)$/gm)
  return new Set(Array.from(headings, ([, heading = '']) => toAnchor(heading)))
}

function listPages(folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules' || entry.name === 'dist' || entry.name === '.git') return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? listPages(path) : entry.name.endsWith('.md') ? [path] : []
  })
}

function checkLinks(page: string): string[] {
  const markdown = readFileSync(page, 'utf8')
  const prose = markdown.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`]*`/g, '')
  const problems: string[] = []
  for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/i.test(target)) continue
    const [path = '', anchor] = target.split('#')
    const file = path === '' ? page : join(dirname(page), path)
    if (!existsSync(file)) problems.push(`${relative(root, page)}: no file ${target}`)
    else if (anchor && !anchorsOf(readFileSync(file, 'utf8')).has(anchor)) {
      problems.push(`${relative(root, page)}: no heading ${target}`)
    }
  }
  return problems
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
const travels = 'docs/how-a-request-travels.md'
report(`files named in ${travels}`, checkFileNames(travels))
const pages = listPages()
report(`links of ${pages.length} pages`, pages.flatMap(checkLinks))
process.exitCode = failed ? 1 : 0
