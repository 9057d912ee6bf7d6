import { defineConfig } from 'vitest/config'
import shared from './vitest.config.ts'

/** The suite on more mounts: every run of the tests has those that differ most. */
export default defineConfig({ test: { ...shared.test, include: ['conformance/test-mounts/*.test.ts'] } })
