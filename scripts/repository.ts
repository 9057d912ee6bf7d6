// Where the project lives stands in one place: `repository` of the root package.json. Holds every published package to it
// (repository, homepage, bugs), and every link of a published README to something that a reader on npm can follow: a full
// URL and, where it names a page of this repository, one that exists. `--write` sets them all, also after the project moved.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { findMissing, linksOf } from './markdown-links.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly license?: string
  readonly repository?: { readonly url: string }
  readonly [key: string]: unknown
}

const read = (file: string) => readFileSync(join(root, file), 'utf8')
const readManifest = (folder: string) => JSON.parse(read(join(folder, 'package.json'))) as Manifest

/** `https://github.com/OWNER/NAME` of a manifest. */
const toHome = ({ repository }: Manifest) => repository?.url.replace(/^git\+/, '').replace(/\.git$/, '')

const home = toHome(readManifest('.'))
if (!home) throw new Error('Expected "repository" with an url in the package.json of the root')

const published = [...readdirSync(join(root, 'packages')).map((name) => `packages/${name}`), 'conformance'].filter(
  (folder) => readManifest(folder).private !== true,
)

/** Pages of the root that are read on GitHub, where relative links work, and that name the project all the same. */
const rootPages = ['SECURITY.md', 'CONTRIBUTING.md']

const addressOf = (folder: string) => ({
  homepage: `${home}/tree/main/${folder}#readme`,
  bugs: `${home}/issues`,
  repository: { type: 'git', url: `git+${home}.git`, directory: folder },
})

function checkManifest(folder: string): string[] {
  const manifest = readManifest(folder)
  return Object.entries(addressOf(folder))
    .filter(([key, value]) => !isDeepStrictEqual(manifest[key], value))
    .map(([key, value]) => `${folder}/package.json: expected "${key}" to be ${JSON.stringify(value)}`)
}

/** The file or folder of this repository, and the heading, that a URL names. */
function toPlace(url: string): { readonly path: string; readonly anchor: string | undefined } | undefined {
  const [address = '', anchor] = url.split('#')
  const path = ['blob', 'tree'].map((kind) => `${home}/${kind}/main/`).find((start) => address.startsWith(start))
  return path === undefined ? undefined : { path: address.slice(path.length), anchor }
}

function checkPage(page: string): string[] {
  return linksOf(read(page)).flatMap((target) => {
    if (target.startsWith('#')) return findMissing(join(root, page), target.slice(1)) ? [`${page}: no ${target}`] : []
    if (!/^https?:/.test(target)) return [`${page}: ${target} leads nowhere on npm, expected a full URL`]
    const place = toPlace(target)
    const missing = place && findMissing(join(root, place.path), place.anchor)
    return missing ? [`${page}: no ${missing} ${target}`] : []
  })
}

function writeManifest(folder: string): void {
  const { license, ...rest } = readManifest(folder)
  const entries = Object.entries(rest).filter(([key]) => !(key in addressOf(folder)))
  // After the keywords, where npm's own order has them.
  const place = entries.findIndex(([key]) => key === 'type')
  entries.splice(place, 0, ...Object.entries({ ...addressOf(folder), license }))
  writeFileSync(join(root, folder, 'package.json'), `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`)
}

function writePage(page: string, before: string | undefined, isPublished: boolean): void {
  const moved = before === undefined ? read(page) : read(page).replaceAll(`${before}/`, `${home}/`)
  const text = moved.replaceAll(/\]\((\.[^)\s]*)\)/g, (link, target: string) => {
    if (!isPublished) return link
    const path = posix.join(posix.dirname(page), target)
    return `](${home}/${/\.\w+(#|$)/.test(path) ? 'blob' : 'tree'}/main/${path})`
  })
  writeFileSync(join(root, page), text)
}

const readmes = published.map((folder) => `${folder}/README.md`)
if (process.argv.includes('--write')) {
  const before = toHome(readManifest('packages/core'))
  for (const folder of published) writeManifest(folder)
  for (const page of readmes) writePage(page, before, true)
  for (const page of rootPages) writePage(page, before, false)
}
const foreign = rootPages.flatMap((page) =>
  linksOf(read(page))
    .filter(
      (target) => /^https:\/\/github\.com\/[^/]+\/[^/]+\/security\//.test(target) && !target.startsWith(`${home}/`),
    )
    .map((target) => `${page}: ${target} is not of ${home}`),
)
const problems = [...published.flatMap(checkManifest), ...readmes.flatMap(checkPage), ...foreign]
console.log(`${problems.length === 0 ? '✓' : '✗'} ${published.length} published packages say where they live: ${home}`)
for (const problem of problems) console.log(`  ${problem}`)
process.exitCode = problems.length === 0 ? 0 : 1
