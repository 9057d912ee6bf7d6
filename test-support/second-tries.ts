import type { Reporter, TestCase, TestModule } from 'vitest/node'

/** Lines of an error's text that are shown: a diff of two long texts is not for a summary. */
const maxLines = 12

/**
 * Names the tests that passed only when they were run again, and says how the first try failed: on a busy machine by
 * time, else by a fault that is rare.
 */
export class SecondTries implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const found: string[] = []
    for (const { relativeModuleId, children } of modules)
      for (const test of children.allTests('passed'))
        if (test.diagnostic()?.flaky) found.push(`  ${relativeModuleId} > ${test.fullName}${whyNot(test)}`)
    if (found.length > 0) console.log(`\n${found.length} passed when run again:\n${found.join('\n')}`)
  }
}

function whyNot(test: TestCase): string {
  return (test.result().errors ?? [])
    .flatMap(({ message, stacks }) => [
      ...message.split('\n').slice(0, maxLines),
      ...(stacks ?? []).slice(0, 3).map(({ file, line }) => `at ${file}:${line}`),
    ])
    .map((line) => `\n      ${line}`)
    .join('')
}
