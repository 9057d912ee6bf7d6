// Measures what serving MCP costs. `tsx bench/src/bench.ts --help`

import { readArguments, usage } from './arguments.ts'
import { runBench } from './bench-run.ts'
import { toMarkdown } from './report.ts'
import { writeResults } from './results.ts'

if (process.argv.includes('--help')) {
  console.log(usage)
} else {
  try {
    const given = readArguments(process.argv.slice(2))
    const files = new Set<string>()
    const report = await runBench(given, {
      onProgress: showProgress,
      async onReport(report) {
        for (const file of await writeResults(report, given.json)) files.add(file)
      },
    })
    console.log(`\n${toMarkdown(report)}`)
    for (const file of files) console.error(`wrote ${file}`)
    process.exitCode = report.workloads.some(({ failures }) => failures.length > 0) ? 1 : 0
  } catch (error) {
    console.error(error instanceof RangeError || error instanceof TypeError ? `${error.message}\n\n${usage}` : error)
    process.exitCode = 2
  }
}

function showProgress(text: string): void {
  if (!process.stderr.isTTY) return void console.error(text)
  process.stderr.write(`\r\u001b[2K${text}`)
}
