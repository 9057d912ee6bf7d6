import { defineConfig } from 'tsup'
import { library } from '../tsup.preset.ts'

const entry = {
  index: 'src/index.ts',
  fixture: 'src/fixture/index.ts',
  'fixture-modern': 'src/fixture/modern.ts',
}
// Three builds that go into one folder: none may empty it.
const shared = { ...library, clean: false }

export default defineConfig([
  { ...shared, entry },
  // vitest cannot be required, and a command need not be.
  { ...shared, entry: { vitest: 'src/vitest.ts' }, format: ['esm'] },
  { ...shared, entry: { 'cli/bin': 'src/cli/bin.ts' }, format: ['esm'], dts: false },
])
