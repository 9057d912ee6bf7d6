import { cp } from 'node:fs/promises'
import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['src/bin.ts'],
  format: ['esm'],
  target: 'node20',
  sourcemap: true,
  clean: true,
  silent: true,
  // Beside the program, where it looks for them.
  onSuccess: () => cp('../../templates', 'dist/templates', { recursive: true }),
})
