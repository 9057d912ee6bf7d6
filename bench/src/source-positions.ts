import { existsSync, readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CallFrame } from './profile-data.ts'

const maps = new Map<string, SourceMap | undefined>()

/** Puts the place in the TypeScript source into a frame of the built server, so that every tool shows that. */
export function toSourcePosition(frame: CallFrame): void {
  if (!frame.url.startsWith('file:')) return
  const file = fileURLToPath(frame.url)
  const entry = findMap(file)?.findEntry(frame.lineNumber, frame.columnNumber)
  if (!entry || !('originalSource' in entry) || !entry.originalSource) return
  frame.url = resolve(dirname(file), entry.originalSource)
  frame.lineNumber = entry.originalLine
  frame.columnNumber = entry.originalColumn
}

function findMap(file: string): SourceMap | undefined {
  if (!maps.has(file)) {
    const path = `${file}.map`
    // Installed packages stay as they are: their own code is what runs.
    const isBuiltHere = !file.includes('node_modules') && existsSync(path)
    maps.set(file, isBuiltHere ? new SourceMap(JSON.parse(readFileSync(path, 'utf8'))) : undefined)
  }
  return maps.get(file)
}
