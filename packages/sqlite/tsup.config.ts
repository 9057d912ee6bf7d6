import { defineConfig } from 'tsup'
import { library } from '../../tsup.preset.ts'

// `import.meta.url`, from where `better-sqlite3` is looked for.
export default defineConfig({ ...library, shims: true })
