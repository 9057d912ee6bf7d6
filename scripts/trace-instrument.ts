import { cp, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'

/** The global that instrumented code calls: `traceEntry(file, function)`. */
export const entryHook = 'traceEntry'

/** A text to put in at an offset of a source. */
interface Insertion {
  readonly at: number
  readonly text: string
}

/**
 * Copies a package into a temporary folder, with a call of {@link entryHook} at the entry of every function with a body.
 * Resolves with the folder: whoever asked removes it.
 */
export async function instrumentPackage(folder: string): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'trace-rooms-'))
  await cp(join(folder, 'package.json'), join(copy, 'package.json'))
  await cp(join(folder, 'src'), join(copy, 'src'), { recursive: true })
  // So that what it imports by name is found from there too.
  await symlink(join(folder, 'node_modules'), join(copy, 'node_modules'))
  const source = join(copy, 'src')
  for (const path of await readdir(source, { recursive: true })) {
    if (!path.endsWith('.ts')) continue
    const file = join(source, path)
    await writeFile(file, instrument(await readFile(file, 'utf8'), path))
  }
  return copy
}

/** The text of a file with the calls in it. No line moves, so that the lines of a stack are those of the original. */
export function instrument(text: string, file: string): string {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const insertions: Insertion[] = []
  visit(source)
  return insertions
    .toSorted((a, b) => b.at - a.at)
    .reduce((changed, { at, text: added }) => changed.slice(0, at) + added + changed.slice(at), text)

  function visit(node: ts.Node): void {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const call = `${entryHook}(${JSON.stringify(file)}, ${JSON.stringify(nameOf(node))})`
      insertions.push(...toInsertions(node.body as ts.ConciseBody, call, source))
    }
    ts.forEachChild(node, visit)
  }
}

function toInsertions(body: ts.ConciseBody, call: string, source: ts.SourceFile): Insertion[] {
  const start = body.getStart(source)
  if (ts.isBlock(body)) return [{ at: start + 1, text: ` ${call};` }]
  return [
    { at: start, text: `(${call}, ` },
    { at: body.end, text: ')' },
  ]
}

/** As a reader looks for it: `Exchange.answer`, `createEndpoint.handle`, `Exchange.constructor.new Promise()`. */
function nameOf(node: ts.Node): string {
  const names: string[] = []
  for (let at = node; !ts.isSourceFile(at); at = at.parent) {
    if (ts.isFunctionLike(at) || ts.isClassLike(at)) names.unshift(ownName(at))
  }
  return names.join('.')
}

function ownName(node: ts.SignatureDeclaration | ts.ClassLikeDeclaration): string {
  if (ts.isConstructorDeclaration(node)) return 'constructor'
  if (ts.isGetAccessor(node)) return `get ${node.name.getText()}`
  if (ts.isSetAccessor(node)) return `set ${node.name.getText()}`
  return node.name?.getText() ?? nameByPlace(node)
}

/** What has no name of its own is called by what it is given to. */
function nameByPlace(node: ts.Node): string {
  const { parent } = node
  if (ts.isVariableDeclaration(parent) || ts.isPropertyDeclaration(parent) || ts.isPropertyAssignment(parent)) {
    return parent.name.getText()
  }
  if (ts.isNewExpression(parent)) return `new ${parent.expression.getText()}()`
  if (ts.isCallExpression(parent)) return `${lastName(parent.expression)}()`
  return '=>'
}

function lastName(node: ts.Expression): string {
  return ts.isPropertyAccessExpression(node) ? node.name.text : ts.isIdentifier(node) ? node.text : '=>'
}
