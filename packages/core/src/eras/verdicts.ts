import { isBatch } from '../call/dispatch.ts'
import type { Incoming } from '../http/read-message.ts'
import type { RequestHead } from '../http/request-head.ts'
import { isInitialize, isResponse, type JsonRpcMessage } from '../rpc/json-rpc.ts'
import { type EraName, eraOfVersion } from '../rpc/revision.ts'

/** Where a protocol version that a request names belongs: to an era, or to none that is known; `none`: it names none. */
type Named = EraName | 'unknown' | 'none'

/** What the message of a request is. GET and DELETE have no body. */
type Kind = 'GET' | 'DELETE' | 'initialize' | 'request' | 'notification' | 'response' | 'batch'

/** All that tells the eras apart. */
export interface Signals {
  readonly kind: Kind
  /** The header `MCP-Protocol-Version`. */
  readonly header: Named
  /** The header `Mcp-Session-Id`, whether or not such a session exists. */
  readonly session: boolean
  /** `_meta["io.modelcontextprotocol/protocolVersion"]` of the message; of a batch, of the first message with one. */
  readonly claim: Named
}

export type Verdict = EraName | 'method_not_allowed'

/** Holds of a request where each signal that it lists has one of the listed values. */
export interface Row {
  readonly when: { readonly [Name in keyof Signals]?: readonly Signals[Name][] }
  readonly verdict: Verdict
  readonly because: string
}

/**
 * Which era answers a request to an endpoint that serves both: the first row that holds. `docs/eras.md` shows these rows.
 */
export const verdicts: readonly Row[] = [
  {
    when: { kind: ['GET', 'DELETE'], header: ['2026'], session: [false] },
    verdict: 'method_not_allowed',
    because: 'Revision 2026-07-28 has only POST.',
  },
  { when: { kind: ['GET', 'DELETE'] }, verdict: '2025', because: 'Only sessions have GET and DELETE.' },
  {
    when: { kind: ['initialize'], header: ['2026'], claim: ['2026'] },
    verdict: '2026',
    because: 'A whole request of 2026-07-28, which has no such method: 404.',
  },
  {
    when: { kind: ['initialize'] },
    verdict: '2025',
    because: 'It opens a session, and negotiates the version by its body, whatever the header says.',
  },
  {
    when: { session: [true], header: ['none', '2025', 'unknown'] },
    verdict: '2025',
    because: "The session's revision is what was negotiated, also for a client that adds _meta of 2026-07-28.",
  },
  {
    when: { session: [true], header: ['2026'], claim: ['none'] },
    verdict: '2025',
    because:
      'A client in a session that sends the newest header it knows. Mcp-Method and Mcp-Name, if sent, must match.',
  },
  {
    when: { header: ['2026'] },
    verdict: '2026',
    because: 'The header says so; a session id beside a whole request of 2026-07-28 is ignored.',
  },
  {
    when: { claim: ['2026', 'unknown'] },
    verdict: '2026',
    because:
      'Its _meta says so, and a header that says otherwise, or nothing, is refused: -32020, or -32022 for a version nobody knows.',
  },
  { when: {}, verdict: '2025', because: 'Nothing names another era: without a session only initialize is answered.' },
]

/** The verdict by the head alone; `undefined` where the body has a say. */
export function verdictOfHead({ method, version, sessionId }: RequestHead): Verdict | undefined {
  const { inSession, outside } = byHead[namedBy(version)]
  const heads = sessionId === undefined ? outside : inSession
  return method === 'GET' || method === 'DELETE' ? heads[method] : heads.POST
}

/** The verdict on a POST whose body was read. */
export function verdictOfMessage({ version, sessionId }: RequestHead, incoming: Incoming): Verdict {
  const kind = kindOf(incoming)
  return decide({ kind, header: namedBy(version), session: sessionId !== undefined, claim: claimOf(incoming) })
}

export function decide(signals: Signals): Verdict {
  return (verdicts.find(({ when }) => holds(when, signals)) as Row).verdict
}

function holds({ kind, header, session, claim }: Row['when'], signals: Signals): boolean {
  return (
    (!kind || kind.includes(signals.kind)) &&
    (!header || header.includes(signals.header)) &&
    (!session || session.includes(signals.session)) &&
    (!claim || claim.includes(signals.claim))
  )
}

export const everyNamed: readonly Named[] = ['none', '2025', '2026', 'unknown']
export const everyKindOfBody: readonly Kind[] = ['initialize', 'request', 'notification', 'response', 'batch']

/** Of heads with the same version, with the same answer to whether they name a session. */
interface OfHeads {
  readonly GET: Verdict
  readonly DELETE: Verdict
  readonly POST: Verdict | undefined
}

/** Made of the rows: where every body of a head gets the same verdict, no body is read for it. */
const byHead: Readonly<Record<Named, { readonly inSession: OfHeads; readonly outside: OfHeads }>> = {
  none: ofVersion('none'),
  2025: ofVersion('2025'),
  2026: ofVersion('2026'),
  unknown: ofVersion('unknown'),
}

function ofVersion(header: Named): { inSession: OfHeads; outside: OfHeads } {
  return { inSession: ofHeads(header, true), outside: ofHeads(header, false) }
}

function ofHeads(header: Named, session: boolean): OfHeads {
  const ofPosts = everyKindOfBody.flatMap((kind) => everyNamed.map((claim) => decide({ kind, header, session, claim })))
  const without = (kind: 'GET' | 'DELETE'): Verdict => decide({ kind, header, session, claim: 'none' })
  return { GET: without('GET'), DELETE: without('DELETE'), POST: new Set(ofPosts).size === 1 ? ofPosts[0] : undefined }
}

function namedBy(version: string | undefined): Named {
  return version === undefined ? 'none' : (eraOfVersion(version) ?? 'unknown')
}

function kindOf(incoming: Incoming): Kind {
  if (isBatch(incoming)) return 'batch'
  if (isInitialize(incoming)) return 'initialize'
  if (isResponse(incoming)) return 'response'
  return 'id' in incoming ? 'request' : 'notification'
}

function claimOf(incoming: Incoming): Named {
  if (!isBatch(incoming)) return claimOfMessage(incoming)
  return incoming.map(claimOfMessage).find((claim) => claim !== 'none') ?? 'none'
}

export const versionKey = 'io.modelcontextprotocol/protocolVersion'

/** A claim that is no text names a version nobody knows: its era says what it expected. */
function claimOfMessage(message: JsonRpcMessage): Named {
  const meta = 'params' in message ? message.params?._meta : undefined
  if (typeof meta !== 'object' || meta === null || !(versionKey in meta)) return 'none'
  const version = (meta as Record<string, unknown>)[versionKey]
  return typeof version === 'string' ? namedBy(version) : 'unknown'
}
