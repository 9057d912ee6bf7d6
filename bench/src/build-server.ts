import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

const dist = fileURLToPath(new URL('../dist', import.meta.url))

/** Packages of this repository are measured as they are published: bundled. Everything else stays where it is installed. */
const externals: Plugin = {
  name: 'externals',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'entry-point' || path.startsWith('@throughline/') ? undefined : { path, external: true },
    )
  },
}

export interface BuiltServer {
  /** Run it with Node: `entry TARGET`. */
  readonly entry: string
  remove(): Promise<void>
}

/**
 * Builds the server's process to plain JavaScript. tsx would run it too, but names every closure when it is made, which
 * would be measured with it.
 */
export async function buildServer(source = 'server.ts'): Promise<BuiltServer> {
  await mkdir(dist, { recursive: true })
  const outdir = await mkdtemp(join(dist, 'server-'))
  await build({
    entryPoints: [fileURLToPath(new URL(source, import.meta.url))],
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    logLevel: 'warning',
    plugins: [externals],
  })
  return {
    entry: join(outdir, basename(source).replace(/ts$/, 'mjs')),
    remove: () => rm(outdir, { recursive: true, force: true }),
  }
}
