// Serves the reference server whose sources are in a folder, and prints its URL: tsx serve.ts FOLDER
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { startReferenceServer } from '../doubles/reference-server.ts'

const [, , folder = ''] = process.argv
const source = pathToFileURL(join(folder, 'reference-server.ts')).href
const planted: { startReferenceServer: typeof startReferenceServer } = await import(source)
const { url } = await planted.startReferenceServer()
console.log(url)
