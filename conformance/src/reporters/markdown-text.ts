import { isWebUrl, toOneLine, toVisible } from './text.ts'

/** Cells are Markdown already. */
export function toTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const toLine = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [toLine(header), toLine(header.map(() => '---')), ...rows.map(toLine)].join('\n')
}

/** Text on one line that means nothing else to Markdown, in tables too. */
export function escapeMarkdown(text: string): string {
  return (
    toOneLine(text)
      .replaceAll(/[\\`*_{}[\]#|~$!]/g, '\\$&')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      // A name after it would be notified where the page is posted.
      .replaceAll('@', '&#64;')
  )
}

/** A code span knows no escapes but that of the pipe in a table. */
export function codeSpan(text: string): string {
  const line = toOneLine(text).replaceAll('|', '\\|')
  const marks = '`'.repeat(longestRun(line) + 1)
  return line.includes('`') ? `${marks} ${line} ${marks}` : `${marks}${line}${marks}`
}

export function fence(text: string, language = ''): string {
  const marks = '`'.repeat(Math.max(3, longestRun(text) + 1))
  return `${marks}${language}\n${toVisible(text)}\n${marks}`
}

function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
}

/** `text` is Markdown already. Only a web address becomes a link. */
export function toLink(text: string, url: string): string {
  if (!isWebUrl(url)) return text
  const address = new URL(url).href.replaceAll(/[()|<>`\\*_]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`)
  return `[${text}](${address})`
}
