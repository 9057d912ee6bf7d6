type Cells = Readonly<Record<string, string>>

/** Rows under their columns, as wide as what stands in them. */
export function toTable(columns: readonly string[], rows: readonly Cells[]): string {
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => (row[column] ?? '').length)))
  const toLine = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd()
  return [toLine(columns), ...rows.map((row) => toLine(columns.map((column) => row[column] ?? '')))].join('\n')
}
