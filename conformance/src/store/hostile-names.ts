const words = (text: string): string[] => text.split(' ')

const inLanguages = words('__proto__ constructor hasOwnProperty toString undefined null NaN 0 true')
const inGlobs = words('* ? [a-z] [^a] a* a? \\ \\* ^a.*$ (a|b)+$ % _ a% a_')
const inPaths = words(': a:b a:b:c / ../a a/b . .. { } {a} {a}:b {} a{b}c # > $ $1 - +')
const inQueries = [...words('\' " ` ; -- {{a}} <a> &amp; %00 %2F \\u0000'), "'; DROP TABLE mcp_session; --"]
const beyondAscii = words('é ß SS ｓｓ Ω 日本語 🎉 👩‍👩‍👧 \u202eabc \ufeffabc \u200babc \u2028 \u00a0')
const withSpace = [' ', '  ', 'with space', 'trailing ', ' leading', 'line\nbreak', 'line\r\nbreak', 'tab\tstop']

/**
 * Names that mean something to a database, a glob, a path, a cluster, or an object of the language. A store escapes or
 * hashes them. NUL is not among them: some databases have no text with it, and no key of the core contains it.
 */
export const hostileNames: readonly string[] = [
  ...[...inLanguages, ...inGlobs, ...inPaths, ...inQueries, ...beyondAscii, ...withSpace],
  'x'.repeat(8_192),
]

const long = 'x'.repeat(300)

/** Names that are easily taken for each other, or for parts of each other. */
export const similarNames: readonly string[] = [
  ...words('key KEY Key keys ke k key: :key key:key key\u0301 1 01 1.0 +1 1e0 é e\u0301 ﬁ fi ﬀ ff a а i I ı İ'),
  ...['key ', ' key', 'key\n', ' 1', long, `${long}a`, `${long}b`, `a${long}`],
]
