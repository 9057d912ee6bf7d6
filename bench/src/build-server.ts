import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

const dist = fileURLToPath(new URL('../dist', import.meta.url))

const corePaths: Readonly<Record<string, string>> = {
  '@throughline/mcp-http-core': 'index.ts',
  '@throughline/mcp-http-core/node': 'node/index.ts',
}

/**
 * Packages of this repository are measured as they are published: bundled. Everything else stays where it is installed.
 * `core`: a folder of sources that the core comes from instead.
 */
function createExternals(core?: string): Plugin {
  return {
    name: 'externals',
    setup({ onResolve }) {
      onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
        const corePath = core && corePaths[path]
        if (corePath) return { path: join(core, corePath) }
        return kind === 'entry-point' || path.startsWith('@throughline/') ? undefined : { path, external: true }
      })
    },
  }
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
export async function buildServer(source = 'server.ts', core?: string): Promise<BuiltServer> {
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
    plugins: [createExternals(core)],
  })
  return {
    entry: join(outdir, basename(source).replace(/ts$/, 'mjs')),
    remove: () => rm(outdir, { recursive: true, force: true }),
  }
}
