import { toVisible } from './text.ts'

/** Text that is HTML already. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Part = Html | string | number | readonly (Html | string | number)[]

/** Builds HTML: every part is escaped unless it was made by this same function. Attributes must be in quotes. */
export function html(literals: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const texts = literals.map((literal, index) => (index === 0 ? literal : toText(parts[index - 1] ?? '') + literal))
  return new Html(texts.join(''))
}

function toText(part: Part): string {
  if (part instanceof Html) return part.text
  return typeof part === 'object' ? part.map(toText).join('') : escapeHtml(String(part))
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return toVisible(text).replaceAll(/[&<>"']/g, (character) => entities[character] ?? character)
}
