import { createHash } from 'node:crypto'
import { freshId } from '../conformance/src/client/json-rpc.ts'
import type { Received } from './received.ts'
import type { Keep } from './unstable-answers.ts'

/** Characters that are kept of a line. Of an answer that is longer the hash tells whether it is equal. */
const kept = { request: 160, answer: 600 } as const

/** The lines of what a check received, with a mask on whatever is another in each run. */
export function toAnswers(received: Received, keep: Keep = 'all'): string[] {
  if (keep === 'verdict') return []
  const texts = keep === 'kinds' ? received.toTexts().filter(hasEnded) : received.toTexts()
  const text = maskIds(withoutRepeats(texts.map(maskMoments)).join('\n'))
  if (keep === 'kinds') return toKinds(text.split('\n')).map(shorten)
  const isCounted = received.interleaved || text.includes(poll)
  return (isCounted ? text.replaceAll(eventId, toUncounted) : text).split('\n').map(shorten)
}

/** Why a check was not met. */
export function maskMessage(message: string): string {
  return maskIds(maskMoments(message))
}

function hasEnded(text: string): boolean {
  return /^← end\b/m.test(text)
}

function toKinds(lines: readonly string[]): string[] {
  return [...new Set(lines.filter((line) => !line.includes('notifications/progress')).map(toKind))].toSorted()
}

function toKind(line: string): string {
  const [status = ''] = /^← \d{3} /.exec(line) ?? []
  return status + line.slice(status.length).replaceAll(eventId, '<event id>').replaceAll(/\d+/g, '<n>')
}

/** Some checks ask again and again until something has happened: how often is a matter of time. */
function withoutRepeats(texts: readonly string[]): string[] {
  const keys = texts.map((text) => text.replaceAll(messageId, '').replaceAll(eventId, toUncounted))
  return texts.filter((_, index) => keys[index] !== keys[index - 1])
}

/** As `freshId` makes them once {@link widenMessageIds} was called. */
const messageId = /\bc\d{6}\b/g

/** `<stream>.<index>.<term>-<n>`: see `event-id.ts` of the core. */
const eventId = /(?<=id: )(g|p)[\w-]*\.(\w+\.\w+)-\w+/g

/** Without what counts in a whole session: its streams, and the events of all of them. */
const toUncounted = '$1….$2-…'

/** The call that some checks repeat until another one has come to its end. */
const poll = '"abort_query"'

/** Makes the ids of messages equally long from now on, so that the length of a body does not tell how many were before. */
export function widenMessageIds(): void {
  while (freshId().length < 'c100000'.length);
}

/** Times, places and what is random on purpose: each with what stands for it. */
const moments: readonly (readonly [RegExp, string])[] = [
  [/(?<=date: )\w{3}, [\w :]+ GMT/gi, '<date>'],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>'],
  [/(?<=retry: )\d+/g, '<jittered>'],
  [/(?<=retry-after: )\d+/gi, '<jittered>'],
  [/(?<=\b(127\.0\.0\.1|localhost|\[::1\]):)\d+/g, '<port>'],
  [/\b\d+(\.\d+)? ms\b/g, '<n> ms'],
]

function maskMoments(text: string): string {
  return moments.reduce((masked, [pattern, name]) => masked.replaceAll(pattern, name), withoutStack(text))
}

/** Error pages of Express have a stack, and the length of its paths in their length. */
function withoutStack(text: string): string {
  const rest = text.replace(/<br> &nbsp; &nbsp;at .*?(?=<\/pre>|$)/m, ' <stack>')
  return rest === text ? text : rest.replace(/(?<=content-length: )\d+/i, '<n>')
}

/** Ids become numbers in the order in which they first appear, so that the same id still looks the same. */
function maskIds(text: string): string {
  const issued = Array.from(text.matchAll(/mcp-session-id: ([^\s|"\\]+)/gi), ([, sessionId = '']) => sessionId)
  let masked = text
  for (const [index, sessionId] of [...new Set(issued)].entries()) {
    masked = masked.replaceAll(sessionId, `<session ${index + 1}>`)
  }
  return number(number(masked, /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'uuid '), messageId, 'c')
}

function number(text: string, pattern: RegExp, prefix: string): string {
  const names = new Map<string, string>()
  return text.replaceAll(pattern, (found) => {
    const name = names.get(found) ?? `${prefix}${names.size + 1}`
    names.set(found, name)
    return name
  })
}

function shorten(line: string): string {
  if (!line.startsWith('←')) return line.length > kept.request ? `${line.slice(0, kept.request)}…` : line
  if (line.length <= kept.answer) return line
  // A chunk may end in the middle of a character, which the transcript then does not show.
  const plain = line.replaceAll(/[^ -~]/g, '')
  const hash = createHash('sha256').update(plain).digest('hex').slice(0, 12)
  return `${plain.slice(0, kept.answer)}… (${plain.length} characters, ${hash})`
}
