import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { toChart } from './chart.ts'
import { type Report, toMarkdown } from './report.ts'

const defaultFile = fileURLToPath(new URL('../results/latest.json', import.meta.url))

/** Writes JSON, tables and the chart of W1 next to each other; gives what was written. */
export async function writeResults(report: Report, json = defaultFile): Promise<string[]> {
  const file = resolve(json)
  const base = file.replace(/\.json$/, '')
  const chart = toChart(report)
  const files: [string, string][] = [
    [file, `${JSON.stringify(report, null, 2)}\n`],
    [`${base}.md`, toMarkdown(report)],
    ...(chart === undefined ? [] : ([[`${base}.svg`, chart]] as [string, string][])),
  ]
  await mkdir(dirname(file), { recursive: true })
  for (const [path, text] of files) await writeFile(path, text)
  return files.map(([path]) => path)
}
