/**
 * The random bits in ids of one generator, as far as so many show them. A place of the text that varies about as much as
 * chance would have it counts for the whole alphabet, which a few ids show no single place to have; any other counts for
 * what it is seen to vary by.
 */
export function estimateBits(ids: readonly string[]): number {
  const length = Math.min(...ids.map((id) => id.length))
  const places = Array.from({ length }, (_, index) => new Set(ids.map((id) => id[index])))
  const alphabet = new Set(places.filter(({ size }) => size > 1).flatMap((seen) => [...seen])).size
  const byChance = alphabet * (1 - (1 - 1 / alphabet) ** ids.length)
  return places.map(({ size }) => Math.log2(size > byChance / 3 ? alphabet : size)).reduce((sum, bits) => sum + bits, 0)
}
