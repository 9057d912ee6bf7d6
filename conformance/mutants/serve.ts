// Serves the reference server whose sources are in a folder, and prints its URL: tsx serve.ts FOLDER
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { startReferenceServer } from '../doubles/reference-server.ts'

const [, , folder = ''] = process.argv
const module: { startReferenceServer: typeof startReferenceServer } = await import(
  pathToFileURL(join(folder, 'reference-server.ts')).href
)
const { url } = await module.startReferenceServer()
console.log(url)
