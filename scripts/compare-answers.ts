import type { MountRecording, Recorded } from './record-mount.ts'

/** By mount. */
export type Recording = Record<string, MountRecording>

export interface Difference {
  /** Mount and requirement. */
  readonly check: string
  /** `-` before what only the first recording has, `+` before what only the second has. */
  readonly lines: readonly string[]
}

/** Most lines that are shown of one check, of either recording. */
const shown = 12

export function compareRecordings(before: Recording, after: Recording): Difference[] {
  return namesOf(before, after).flatMap((mount) => {
    const [first, second] = [before[mount], after[mount]]
    if (first === undefined || second === undefined) return [{ check: mount, lines: [toPresence(first !== undefined)] }]
    return namesOf(first, second).flatMap((id) => {
      const lines = compareChecks(first[id], second[id])
      return lines.length === 0 ? [] : [{ check: `${mount}: ${id}`, lines }]
    })
  })
}

function namesOf(before: object, after: object): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
}

function toPresence(isFirst: boolean): string {
  return `${isFirst ? '-' : '+'} is in this recording only`
}

function compareChecks(before: Recorded | undefined, after: Recorded | undefined): string[] {
  if (before === undefined || after === undefined) return [toPresence(before !== undefined)]
  return compareLines(toLines(before), toLines(after))
}

function toLines({ verdict, message, answers }: Recorded): string[] {
  return [`${verdict} ${message}`.trimEnd(), ...answers]
}

/** What is left between the lines that are equal at the beginning and at the end. */
function compareLines(before: readonly string[], after: readonly string[]): string[] {
  const most = Math.min(before.length, after.length)
  let start = 0
  while (start < most && before[start] === after[start]) start++
  let end = 0
  while (end < most - start && before.at(-1 - end) === after.at(-1 - end)) end++
  const left = [before, after].map((lines) => lines.slice(start, lines.length - end))
  return left.flatMap((lines, index) => {
    const rest = lines.length > shown ? [`… and ${lines.length - shown} more`] : []
    return [...lines.slice(0, shown), ...rest].map((line) => `${index === 0 ? '-' : '+'} ${line}`)
  })
}
