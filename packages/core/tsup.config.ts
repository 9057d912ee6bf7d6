import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { index: 'src/index.ts', 'node/index': 'src/node/index.ts', 'web/index': 'src/web/index.ts' },
  format: ['esm', 'cjs'],
  target: 'node20',
  // A CommonJS build finds its own place: server objects may be of the CommonJS copy of their SDK.
  shims: true,
  dts: true,
  sourcemap: true,
  clean: true,
  silent: true,
})
