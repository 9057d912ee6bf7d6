export function shortKey(key: string): string {
  return key.length > 12 ? `${key.slice(0, 10)}…` : key
}

/** Milliseconds, as a person says them. Rounded down, since 60 of a unit are one of the next. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.floor(ms)} ms`
  if (ms < 60_000) return `${Math.floor(ms / 100) / 10} s`
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1_000)} s`
  return `${Math.floor(ms / 3_600_000)} h ${Math.floor((ms % 3_600_000) / 60_000)} min`
}

const two = (n: number): string => String(n).padStart(2, '0')

/** Of what may be days ago. */
export function dateAndClock(at: number): string {
  const date = new Date(at)
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(at)}`
}

export function clock(at: number): string {
  const date = new Date(at)
  const ms = String(date.getMilliseconds()).padStart(3, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`
}

const numbers = new Intl.NumberFormat('en')

export function count(n: number, singular?: string, plural = `${singular}s`): string {
  return singular === undefined ? numbers.format(n) : `${numbers.format(n)} ${n === 1 ? singular : plural}`
}

export function bytes(n: number): string {
  if (n < 1_024) return `${n} B`
  return n < 1_048_576 ? `${Math.round(n / 1_024)} KiB` : `${Math.round(n / 104_857.6) / 10} MiB`
}

export function eraOf(protocolVersion: string): string {
  return protocolVersion < '2026' ? `2025 era (${protocolVersion})` : `2026 era (${protocolVersion})`
}

/** By default issuer, subject and client id, as JSON; an app may name its own. */
export function nameOf(principal: string | null): string {
  if (principal === null) return 'anonymous'
  try {
    const parts: unknown = JSON.parse(principal)
    return Array.isArray(parts) ? parts.filter(Boolean).join(' · ') : principal
  } catch {
    return principal
  }
}

/** JSON on several lines, where it is whole. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}
