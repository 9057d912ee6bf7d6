import { defineConfig } from 'tsup'
import { library } from '../../tsup.preset.ts'

export default defineConfig({
  ...library,
  entry: { index: 'src/index.ts', 'node/index': 'src/node/index.ts', 'web/index': 'src/web/index.ts' },
  // A CommonJS build finds its own place: server objects may be of the CommonJS copy of their SDK.
  shims: true,
  dts: true,
})
