import type { Reporter, TestModule } from 'vitest/node'

/** Names the tests that passed only when they were run again: on a busy machine by time, else a fault that is rare. */
export class SecondTries implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const names: string[] = []
    for (const { relativeModuleId, children } of modules)
      for (const test of children.allTests('passed'))
        if (test.diagnostic()?.flaky) names.push(`  ${relativeModuleId} > ${test.fullName}`)
    if (names.length > 0) console.log(`\n${names.length} passed when run again:\n${names.join('\n')}`)
  }
}
