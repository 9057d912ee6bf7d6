import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['src/index.ts'],
  format: ['esm', 'cjs'],
  // `import.meta.url`, from where `better-sqlite3` is looked for.
  shims: true,
  target: 'node20',
  dts: true,
  sourcemap: true,
  clean: true,
  silent: true,
})
