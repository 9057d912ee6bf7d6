import { fileURLToPath } from 'node:url'

const typesOfCore = (entry: string): string[] => [
  fileURLToPath(new URL(`packages/core/dist/${entry}.d.ts`, import.meta.url)),
]

/**
 * How the libraries of this repository are built. Types of the core come from its own build, which goes first: else each
 * of them would check the core's sources anew.
 */
export const library = {
  entry: ['src/index.ts'],
  format: ['esm', 'cjs'] as ('esm' | 'cjs')[],
  target: 'node20',
  dts: {
    compilerOptions: {
      paths: {
        '@throughline/mcp-http-core': typesOfCore('index'),
        '@throughline/mcp-http-core/node': typesOfCore('node/index'),
        '@throughline/mcp-http-core/web': typesOfCore('web/index'),
      },
    },
  },
  sourcemap: true,
  clean: true,
  silent: true,
}
