import { constants, gunzipSync } from 'node:zlib'
import type { Exchange } from '../../client/exchange.ts'
import { SseParser } from '../../client/sse-parser.ts'

/** Apart by less than this, events came together. */
const togetherMs = 10

/** A call that took less could not show that its events were held back. */
const leastCallMs = 80

/** When the events of an answer came, in milliseconds after its request. */
export function arrivalsOf(exchange: Exchange): number[] {
  return exchange.stream.blocks
    .filter(({ data }) => data !== undefined && data !== '')
    .map(({ at }) => at - exchange.startedAt)
}

/** The same of an answer in gzip. */
export function gzippedArrivalsOf(exchange: Exchange): number[] {
  const arrivals: number[] = []
  const parser = new SseParser(({ data, at }) => {
    if (data !== undefined && data !== '') arrivals.push(at - exchange.startedAt)
  })
  const received: Uint8Array[] = []
  let known = 0
  for (const { at, bytes } of exchange.stream.chunks) {
    received.push(bytes)
    const plain = gunzipStart(Buffer.concat(received))
    parser.push(plain.subarray(known), at)
    known = plain.length
  }
  return arrivals
}

/** What the first bytes of a gzip stream decode to. */
function gunzipStart(bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })
  } catch {
    // Not even its header is complete.
    return Buffer.alloc(0)
  }
}

export interface Spread {
  readonly events: number
  readonly firstMs: number
  readonly lastMs: number
}

export function spreadOf(arrivals: readonly number[]): Spread {
  return { events: arrivals.length, firstMs: arrivals[0] ?? 0, lastMs: arrivals.at(-1) ?? 0 }
}

/** Sent over a while and come in one piece. */
export function cameTogether({ firstMs, lastMs }: Spread): boolean {
  return lastMs - firstMs < togetherMs && lastMs >= leastCallMs
}

export function describeSpread({ events, firstMs, lastMs }: Spread): string {
  return `the first of ${events} events came after ${Math.round(firstMs)} ms and the last after ${Math.round(lastMs)} ms`
}
