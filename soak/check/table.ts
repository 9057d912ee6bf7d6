import { faultKinds, figureNames, type Ledger } from './ledger.ts'

const nameWidth = 26
const columnWidth = 10

/** What each mount was put through, and what was found: all that is below the line must be 0. */
export function toTable(ledgers: ReadonlyMap<string, Ledger>): string {
  const all = [...ledgers.values()]
  const behaviours = [...new Set(all.flatMap((ledger) => Object.keys(ledger.behaviours)))].sort()
  const rule = '-'.repeat(nameWidth + columnWidth * all.length)
  return [
    toRow('', [...ledgers.keys()]),
    ...behaviours.map((name) =>
      toRow(
        name,
        all.map((ledger) => ledger.behaviours[name] ?? 0),
      ),
    ),
    ...figureNames.map((name) =>
      toRow(
        name,
        all.map((ledger) => ledger.figures[name]),
      ),
    ),
    rule,
    ...faultKinds.map((kind) =>
      toRow(
        kind,
        all.map((ledger) => ledger.counts[kind]),
      ),
    ),
  ].join('\n')
}

function toRow(name: string, cells: readonly (string | number)[]): string {
  return name.padEnd(nameWidth) + cells.map((cell) => String(cell).padStart(columnWidth)).join('')
}
