/** Everything that must not happen. */
export const faultKinds = [
  /** A number was left out, and nobody told of a gap. */
  'lost',
  'doubled',
  'reordered',
  /** Something that belongs to another session or call. */
  'foreign',
  /** Not the bytes that were sent. */
  'damaged',
  /** No answer, no error and no end, though the client stayed or came back. */
  'hung',
  /** An error or a refusal that the client gave no reason for; none where there should be one. */
  'refused',
  /** A stream whose end no reader can reach. */
  'endless',
  /** Something is left when all sessions are over. */
  'held',
  'heap',
  'rejection',
  /** What the endpoint's `onError` heard. */
  'error',
  'died',
] as const

export type FaultKind = (typeof faultKinds)[number]

export interface Fault {
  readonly kind: FaultKind
  readonly text: string
  /** What the client did and saw last. */
  readonly transcript: readonly string[]
}

export const figureNames = [
  'sessions',
  'calls',
  'events',
  'pushes',
  'cuts',
  'resumes',
  'gaps',
  'excused',
  'hostile',
] as const
export type FigureName = (typeof figureNames)[number]

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>
}

/** As many are kept in full; the others are only counted. */
const keptFaults = 200

export class Ledger {
  readonly counts = zeros(faultKinds)
  readonly figures = zeros(figureNames)
  /** How often each behaviour has begun. */
  readonly behaviours: Record<string, number> = {}
  readonly faults: Fault[] = []
  /** Called with every fault, as it is found. */
  onFault: ((fault: Fault) => void) | undefined

  fault(kind: FaultKind, text: string, transcript: readonly string[] = [], times = 1): void {
    this.counts[kind] += times
    const fault = { kind, text, transcript: [...transcript] }
    if (this.faults.length < keptFaults) this.faults.push(fault)
    this.onFault?.(fault)
  }

  met(behaviour: string): void {
    this.behaviours[behaviour] = (this.behaviours[behaviour] ?? 0) + 1
  }

  get total(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0)
  }

  toString(): string {
    return `${toText(this.figures)} | ${toText(this.counts)}`
  }
}

function toText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(' ')
}
