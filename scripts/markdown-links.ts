import { existsSync, readFileSync } from 'node:fs'

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

/** Targets of the links and pictures of a page, outside of code. */
export function linksOf(markdown: string): string[] {
  const prose = markdown.replaceAll(/^ *```[\s\S]*?^ *```/gm, '').replaceAll(/`[^`]*`/g, '')
  return Array.from(prose.matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) => target)
}

/** What a link to a file, and a heading in it, lacks; `undefined` when both are there. */
export function findMissing(file: string, anchor: string | undefined): 'file' | 'heading' | undefined {
  if (!existsSync(file)) return 'file'
  return anchor && !anchorsOf(readFileSync(file, 'utf8')).has(anchor) ? 'heading' : undefined
}
