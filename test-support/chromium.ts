import { existsSync } from 'node:fs'

// Nothing of vitest: scripts use it as well.

/** Another of the same kind, such as Chrome. */
export const chromiumPath = process.env.CHROMIUM ?? '/usr/bin/chromium'

const leftOut = `LEFT OUT: the tests in a browser, because ${chromiumPath} is not installed (apt-get install chromium)`

/** Whether to skip tests that need a browser. Where everything is to be tested, they fail instead. */
export function skipsBrowser(): boolean {
  const isInstalled = existsSync(chromiumPath)
  if (!isInstalled && process.env.CI) throw new Error(leftOut)
  if (!isInstalled) console.warn(leftOut)
  return !isInstalled
}
