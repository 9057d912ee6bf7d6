/** What no shell of the platform splits or replaces. */
const plain = { posix: /^[\p{L}\p{N}_.,:@%+=/-]+$/u, windows: /^[\p{L}\p{N}_.:/\\-]+$/u }

/** A path as a shell reads it for one word. On Windows in double quotes, which both cmd.exe and PowerShell know. */
export function toShellWord(path: string, platform: NodeJS.Platform = process.platform): string {
  const isWindows = platform === 'win32'
  if (plain[isWindows ? 'windows' : 'posix'].test(path)) return path
  return isWindows ? `"${path}"` : `'${path.replaceAll("'", `'\\''`)}'`
}
