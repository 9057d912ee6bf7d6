import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

const dist = fileURLToPath(new URL('../../dist', import.meta.url))

const entryPoints: Readonly<Record<string, string>> = {
  '@throughline/mcp-http-core': 'index.ts',
  '@throughline/mcp-http-core/node': 'node/index.ts',
}

/** The core comes from these sources. All else stays where it is installed. */
function takeCoreFrom(source: string): Plugin {
  return {
    name: 'core',
    setup({ onResolve }) {
      onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
        const entryPoint = entryPoints[path]
        if (entryPoint !== undefined) return { path: join(source, entryPoint) }
        return kind === 'entry-point' ? undefined : { path, external: true }
      })
    },
  }
}

/** Builds `work.ts` with the core of a folder of sources. */
export async function buildWork(source: string): Promise<{ entry: string; remove(): Promise<void> }> {
  await mkdir(dist, { recursive: true })
  const outdir = await mkdtemp(join(dist, 'work-'))
  await build({
    entryPoints: [fileURLToPath(new URL('work.ts', import.meta.url))],
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
    plugins: [takeCoreFrom(source)],
  })
  return { entry: join(outdir, 'work.mjs'), remove: () => rm(outdir, { recursive: true, force: true }) }
}
