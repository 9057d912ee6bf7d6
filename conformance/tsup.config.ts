import { defineConfig } from 'tsup'

const library = {
  index: 'src/index.ts',
  fixture: 'src/fixture/index.ts',
  'fixture-modern': 'src/fixture/modern.ts',
}
const shared = { target: 'node20', sourcemap: true, silent: true } as const

export default defineConfig([
  { ...shared, entry: library, format: ['esm', 'cjs'], dts: true },
  // vitest cannot be required, and a command need not be.
  { ...shared, entry: { vitest: 'src/vitest.ts' }, format: ['esm'], dts: true },
  { ...shared, entry: { 'cli/bin': 'src/cli/bin.ts' }, format: ['esm'] },
])
