/** Characters of a text that a client may have written, as an attribute. */
const maxLength = 1_024

/** Characters of arguments and of a result that are asked for. A collector takes 4 MiB at once, by default. */
const maxContents = 65_536

/**
 * A span waits for its export with whatever is on it, and exporters send many at a time: a few that have names of
 * megabytes would be the memory of the process, and more than a collector takes.
 */
export function clipped(text: string): string {
  return clip(text, maxLength)
}

/** What is asked for is longer, but bounded all the same. */
export function clippedContents(text: string): string {
  return clip(text, maxContents)
}

function clip(text: string, length: number): string {
  if (text.length <= length) return text
  // A copy: a part alone would keep the whole in memory.
  return structuredClone(text.slice(0, length))
}
