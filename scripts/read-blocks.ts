/** A block of TypeScript on a page of the documentation. */
export interface Block {
  /** Of its first line of code, from 1. */
  readonly line: number
  readonly code: string
}

/** The ```ts blocks of a page. */
export function readBlocks(markdown: string): Block[] {
  const blocks: Block[] = []
  let open: { line: number; code: string[] } | undefined
  for (const [index, text] of markdown.split('\n').entries()) {
    if (open === undefined && text.trim() === '```ts') open = { line: index + 2, code: [] }
    else if (open !== undefined && text.trim() === '```') {
      blocks.push({ line: open.line, code: open.code.join('\n') })
      open = undefined
    } else open?.code.push(text)
  }
  return blocks
}
