import type { Message, Settings } from './wire.ts'

/** Headers of every event stream: nothing on the way may keep or hold it back. */
export function toHeaders({ defects }: Settings): Record<string, string> {
  const headers: Record<string, string> = {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
  }
  if (defects.has('stream-charset-is-latin1')) headers['content-type'] += '; charset=iso-8859-1'
  if (defects.has('stream-may-be-buffered')) delete headers['x-accel-buffering']
  if (defects.has('stream-may-be-cached')) delete headers['cache-control']
  return headers
}

/** What a connection begins with: `retry`, so that it is known before any close, and the priming event. */
export function toPreamble(
  { primingId, isGet }: { primingId: string | undefined; isGet: boolean },
  { defects, retryMs }: Settings,
): string {
  const comment = isGet ? ': open\n' : ''
  const mark = defects.has('byte-order-mark-inside') && isGet ? '\ufeff: open\n' : ''
  const wrongRetry = defects.has('retry-has-a-unit') ? `retry: ${retryMs}ms\n` : ''
  const retry = defects.has('no-retry-on-post') && !isGet ? '' : `${wrongRetry}retry: ${retryMs}\n`
  const data = defects.has('priming-event-has-no-data-on-get') && isGet ? '' : 'data: \n'
  const priming = primingId === undefined ? '' : `id: ${primingId}\n${data}`
  return `${comment}${mark}${retry}${priming}\n`
}

/** One message as one event. JSON has no raw line ends, so it is always one data line. */
export function toEvent(id: string, message: Message, { defects }: Settings, isStandalone = false): string | Buffer {
  const data = JSON.stringify(defects.has('data-is-an-array') ? [message] : message)
  const { progressToken } = message.params ?? {}
  const isNamed = typeof progressToken === 'string' && defects.has('comment-names-the-token')
  const comment = isNamed ? `: ${progressToken}\n` : ''
  const type = defects.has('event-type-is-mcp') ? 'event: mcp\n' : ''
  const wrongId = defects.has('id-has-a-nul') ? 'id: \0\n' : ''
  const tail = defects.has('data-goes-on-without-a-field') ? 'end of data\n' : ''
  const rest = defects.has('event-is-followed-by-half-a-block') && isStandalone ? 'retry: 500\n' : ''
  const text = `${comment}${type}${wrongId}id: ${id}\ndata: ${toText(data, defects)}\n${tail}\n${rest}`
  return defects.has('greek-is-cut-in-half') ? cutGreek(text) : text
}

function toText(data: string, defects: Settings['defects']): string {
  const isBig = data.length > 1_000_000
  return isBig && defects.has('big-events-lose-carriage-returns') ? data.replaceAll('\\r', '') : data
}

/** As if a chunk had ended within the letter psi: its second byte is gone. */
function cutGreek(text: string): Buffer {
  const [before = '', ...after] = text.split('ψ')
  const half = Buffer.from([0xcf])
  return Buffer.concat([Buffer.from(before), ...after.flatMap((part) => [half, Buffer.from(part)])])
}
