import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { chromiumPath } from './chromium.ts'

export { skipsBrowser } from './chromium.ts'

/** One browser for the tests of a file or block. `args` are as on its command line. */
export function useBrowser(...args: readonly string[]): () => Browser {
  let browser: Browser | undefined
  beforeAll(async () => {
    // Root has no sandbox; all that is opened is the tests' own.
    browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', ...args] })
  }, 60_000)
  afterAll(() => browser?.close())
  return () => browser as Browser
}
