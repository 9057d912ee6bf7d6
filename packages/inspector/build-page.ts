// Builds the page into one module, `src/page.generated.ts`: its HTML, with everything that it needs inside, and the
// policy that lets exactly that run. `pnpm install` and `pnpm build` do it.
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const folder = fileURLToPath(new URL('.', import.meta.url))

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${folder}page/${entry}`],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: ['chrome123', 'firefox120', 'safari17.5'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
  })
  return (outputFiles[0]?.text ?? '').trim()
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}

const [script, style, preact] = await Promise.all([
  bundle('main.tsx'),
  bundle('style.css'),
  readFile(new URL('node_modules/preact/LICENSE', import.meta.url), 'utf8'),
])
if (/<\/script|<!--/i.test(script)) throw new Error('Expected a script that can stand in a page as it is')

const html = `<!doctype html>
<!-- Contains Preact:
${preact.trim()}
-->
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>MCP inspector</title>
<link rel="icon" href="data:,">
<style>${style}</style>
<div id="app"><p>This page needs JavaScript.</p></div>
<script>${script}</script>
</html>
`

const policy = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const code = `// Made by build-page.ts.
export const pageHtml = ${JSON.stringify(html)}
export const contentSecurityPolicy = ${JSON.stringify(policy)}
`
await writeFile(`${folder}src/page.generated.ts`, code)
