/** Items that are worked on at the same time. */
const atOnce = 100

/** Works on many items, some of them at a time. */
export async function inParts<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += atOnce) await Promise.all(items.slice(i, i + atOnce).map(work))
}
