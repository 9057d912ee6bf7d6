// What the READMEs show, as files that can be run and type-checked. Of a new adapter nothing else has to be written down.
import { readFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { adapters, frameworks } from '../conformance/mounts/adapters.ts'
import { readBlocks } from './read-blocks.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Whose README it is. The repository's own has no package. */
export interface Page {
  readonly name?: string
  readonly folder: string
}

/** File names and what is in them. */
export type Files = Readonly<Record<string, string>>

/** The first program of a README: a server that listens on port 3000, as a reader would copy it. */
export async function readProgram({ folder }: Page): Promise<string> {
  const readme = relative(root, join(folder, 'README.md'))
  const [first] = readBlocks(await readFile(join(root, readme), 'utf8'))
  if (first === undefined) throw new Error(`Expected a \`\`\`ts block in ${readme}`)
  const end = first.line + first.code.split('\n').length
  if (end > 30) throw new Error(`Expected the server of ${readme} to be complete by line 30, it ends on line ${end}`)
  if (!/\b3000\b/.test(first.code)) throw new Error(`Expected the server of ${readme} to listen on port 3000`)
  return first.code
}

/** A README's program, the same with `require`, and that on older majors of the framework. */
export function toPrograms(page: Page, program: string): Files {
  const current = frameworks.find((adapter) => adapter.package === page.name)?.framework[0]
  const older = adapters.filter((adapter) => adapter.package === page.name && adapter.isOlder)
  const onOlder = older.map(({ name, framework: [alias] }) => {
    return [`${name}.cjs`, toCommonJs(program.replaceAll(`'${current}'`, `'${alias}'`))]
  })
  const name = toFileName(page)
  return { [`${name}.mjs`]: program, [`${name}.cjs`]: toCommonJs(program), ...Object.fromEntries(onOlder) }
}

function toFileName({ name, folder }: Page): string {
  return name === undefined ? 'readme' : basename(folder)
}

function toCommonJs(program: string): string {
  const required = program.replaceAll(/^import (.+) from ('.+')$/gm, 'const $1 = require($2)')
  // Some programs await at the top, which a module of CommonJS cannot.
  return `(async () => {\n${required}\n})()\n`
}

/** Blocks that only an ES module may hold. */
const needsModule = /^(\S.* )?await |^export default /m

/** Every block of a README, for both kinds of modules, to be type-checked beside the `server.ts` that they import. */
export async function readModules(page: Page): Promise<Files> {
  const blocks = readBlocks(await readFile(join(page.folder, 'README.md'), 'utf8'))
  return Object.fromEntries(
    blocks.flatMap(({ line, code }) => {
      const kinds = needsModule.test(code) ? ['mts'] : ['mts', 'cts']
      return kinds.map((kind) => [
        `${toFileName(page)}-${line}.${kind}`,
        `${code.replaceAll("'./server.ts'", `'./server.${kind}'`)}\nexport {}\n`,
      ])
    }),
  )
}
