// What a terminal, an XML parser or a reader would take for something other than text: control characters, lone
// surrogates, and characters that turn the direction of a line or break it.
const notText = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]/gu

/** Text of a server, safe to show: what is not text becomes an escape such as `\u001b`. Line feeds and tabs stay. */
export function toVisible(text: string): string {
  return text.replaceAll(notText, (character) => {
    if (character === '\n' || character === '\t') return character
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

export function toOneLine(text: string): string {
  return toVisible(text).replaceAll(/\s+/g, ' ').trim()
}

/** Every line of `text` after `prefix`. */
export function indent(text: string, prefix: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : prefix + line))
    .join('\n')
}

/** `1 failure`, `2 failures`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** `true` for what a link may lead to; a saved report may hold anything. */
export function isWebUrl(url: string): boolean {
  return /^https?:\/\//i.test(url) && URL.canParse(url)
}
