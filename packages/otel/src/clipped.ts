/** Characters of a text that a client may have written, as an attribute. */
const maxLength = 1_024

/**
 * A span waits for its export with whatever is on it, and exporters send many at a time: a few that have names of
 * megabytes would be the memory of the process, and more than a collector takes.
 */
export function clipped(text: string): string {
  if (text.length <= maxLength) return text
  // A copy: a part alone would keep the whole in memory.
  return structuredClone(text.slice(0, maxLength))
}
