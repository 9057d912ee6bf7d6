/** Counts how often `text` has come in a stream of chunks, wherever they are cut. */
export function createCounter(text: string): (chunk: Buffer) => number {
  const mark = Buffer.from(text)
  let rest: Buffer = Buffer.alloc(0)
  let count = 0
  return (chunk) => {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + mark.length)) count++
    rest = bytes.subarray(Math.max(0, bytes.length - mark.length + 1))
    return count
  }
}
