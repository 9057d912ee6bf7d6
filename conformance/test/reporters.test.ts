import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { type DefaultTreeAdapterMap, parse as parseHtml } from 'parse5'
import { Parser as TapParser } from 'tap-parser'
import { describe, expect, it } from 'vitest'
import { countVerdicts, type Report, type Result, type Verdict, verdicts } from '../src/report.ts'
import { createProgress, formatSummary, readReports, reporterNames, reporters } from '../src/reporters/index.ts'
import type { Level } from '../src/requirement.ts'
import { requirements } from '../src/requirements/index.ts'
import { toResult } from '../src/runner.ts'

/** What a server that wants to be noticed may send: breaks out of HTML, XML, YAML, Markdown, tables and terminals. */
const hostile = [
  `</script><img src=x onerror="alert(1)"><script>alert(2)</script>'"&amp;]]>`,
  'a | b `c` ```` # SKIP \\ <details> [x](javascript:alert(3)) @everyone',
  '...\n---\nnot ok 7 - made up\nBail out! no\n    ok 1 - nested',
  'controls \u0000\u0007\u001b[31m\u001b]0;title\u0007\u009b31m\r\u2028\u202e\ufffe lone \ud800 surrogate \udc00 😀',
].join('\n')

const levels: Readonly<Record<Verdict, Level>> = {
  fail: 'MUST',
  warn: 'SHOULD',
  advice: 'HARD',
  info: 'MAY',
  pass: 'MUST',
  'not-set-up': 'MUST',
  'not-testable': 'dMUST',
  'not-run': 'MUST NOT',
}

function resultOf(verdict: Verdict, more: Partial<Result> = {}): Result {
  const isMet = verdict === 'pass'
  return {
    id: `session/a-${verdict}`,
    title: `What comes to ${verdict} is shown so.`,
    level: levels[verdict],
    rows: ['R145'],
    spec: '2025-11-25/basic/transports#session-management',
    specUrl: 'https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#session-management',
    because: '',
    verdict,
    message: isMet ? '' : `Why it is ${verdict}`,
    transcript: isMet ? '' : '    0 ms  -> 1 POST /mcp',
    curl: isMet ? '' : 'curl -sS -i http://127.0.0.1:3000/mcp',
    durationMs: 12,
    ...more,
  }
}

/** Every verdict once as it usually is, and once with texts of a hostile server. */
function everyVerdict(): Result[] {
  const texts = { title: hostile, because: hostile, message: hostile, transcript: hostile, curl: hostile }
  return verdicts.flatMap((verdict) => [
    resultOf(verdict),
    resultOf(verdict, { id: `origin/hostile-${verdict}`, ...(verdict === 'pass' ? { title: hostile } : texts) }),
  ])
}

function reportOf(results: readonly Result[] = everyVerdict(), more: Partial<Report> = {}): Report {
  return {
    version: 1,
    suite: { name: '@throughline/mcp-http-conformance', version: '0.1.0' },
    target: {
      url: 'http://127.0.0.1:3000/mcp',
      server: `server ${hostile}`,
      revision: '2025-11-25',
      revisions: ['2025-06-18', '2025-11-25'],
      offers: ['legacy', 'sessions'],
      roles: { progress: hostile },
    },
    startedAt: '2026-02-03T10:11:12.000Z',
    durationMs: 1_200,
    incomplete: '',
    counts: countVerdicts(results),
    results,
    ...more,
  }
}

function at(url: string, results?: readonly Result[]): Report {
  const report = reportOf(results)
  return { ...report, target: { ...report.target, url } }
}

const codeBlock = /^(`{3,}).*\n[\s\S]*?\n\1$/gm

const three = () => [at('http://a.test/mcp'), at('http://b.test/mcp'), at('http://c.test/mcp', [resultOf('pass')])]

describe('every reporter', () => {
  for (const name of reporterNames) {
    it(`${name} writes text without control characters and lone surrogates`, () => {
      for (const reports of [[reportOf()], three()]) {
        const text = reporters[name](reports, { verbose: true })
        expect(text.endsWith('\n')).toBe(true)
        expect(text.replaceAll('\n', '').match(/[\p{Cc}\p{Cs}\u2028\u202e\ufffe]/u)).toBeNull()
      }
    })

    it(`${name} names what failed and why`, () => {
      const text = reporters[name]([reportOf([resultOf('fail'), resultOf('pass')])])
      expect(text).toContain('session/a-fail')
      expect(text).toContain('Why it is fail')
    })

    it(`${name} writes a run that ended before the first check`, () => {
      const text = reporters[name]([reportOf([], { incomplete: 'the server stopped answering' })])
      expect(text).toContain('the server stopped answering')
    })
  }
})

/** A server that takes every Origin, and makes one mistake beside. */
function withoutOriginCheck(): Report {
  const served = { message: 'Expected it to be refused with a 4xx status, got 200' }
  const unchecked = ['foreign-origin-cannot-initialize', 'foreign-origin-cannot-post', 'null-is-refused']
  const failures = unchecked.map((id) => resultOf('fail', { id: `origin/${id}`, ...served }))
  const noted = resultOf('advice', { id: 'origin/cross-site-fetch-is-refused', ...served })
  return reportOf([resultOf('fail', { id: 'session/unknown-id-is-404' }), ...failures, noted, resultOf('pass')])
}

describe('failures of one cause', () => {
  const [name, advice] = ['The Origin header is not checked', /Answer 403 to every\s+request/]

  it('stand together in the terminal, the most first, with what to change once', () => {
    const text = reporters.terminal([withoutOriginCheck()], { width: 200 })
    expect(text.match(/→ Answer 403/g)).toHaveLength(1)
    expect(text.indexOf(name)).toBeLessThan(text.indexOf('Unknown and ended sessions'))
    expect(text).toContain('explains too, of those below: origin/cross-site-fetch-is-refused')
    expect(text).toMatch(
      /What causes them\n {4}3 {2}The Origin header is not checked\n {4}1 {2}Unknown and ended sessions/,
    )
    expect(text).toContain('✗ 4 failures of 2 causes.')
    expect(text.match(/curl -sS -i/g)).toHaveLength(2)
    expect(reporters.terminal([withoutOriginCheck()], { verbose: true }).match(/curl -sS -i/g)).toHaveLength(4)
  })

  it('are one in the summary that stands beside a file', () => {
    const text = formatSummary([withoutOriginCheck()])
    expect(text).toContain('4 fail, 1 advice, 1 pass')
    expect(text).toMatch(advice)
    expect(text).not.toContain('origin/null-is-refused')
    expect(text.split('\n').length).toBeLessThan(20)
  })

  it('are named with their cause in every line of the other formats', () => {
    for (const format of ['junit', 'tap', 'markdown'] as const) {
      const text = reporters[format]([withoutOriginCheck()])
      expect(text.split(name).length - 1, format).toBeGreaterThanOrEqual(3)
      expect(text).toMatch(advice)
    }
  })

  it('stand alone, with what the requirement says, where no cause is known', () => {
    const text = reporters.terminal([reportOf([resultOf('fail')])])
    expect(text).toContain('→ Make it so: What comes to fail is shown so.')
  })
})

describe('what could not be set up', () => {
  const unset = (id: string) => resultOf('not-set-up', { id, message: 'could not be set up: a session: got 500' })

  it('stands after the failures, once for each reason, and is not counted as tested', () => {
    const text = reporters.terminal([
      reportOf([unset('session/a'), unset('session/b'), resultOf('fail'), resultOf('warn')]),
    ])
    const places = ['Failures', 'Could not be set up', '? 2 checks', 'session/a, session/b', 'Warnings']
    const found = places.map((place) => text.indexOf(place))
    expect(found).toEqual([...found].sort((one, other) => one - other))
    expect(text.match(/a session: got 500/g)).toHaveLength(1)
    expect(text).toContain('2 of 4 requirements were tested. 2 could not be set up.')
  })

  it('need not be counted in a report that an earlier version saved', () => {
    const { 'not-set-up': _, ...counts } = reportOf().counts
    expect(readReports(JSON.stringify({ ...reportOf(), counts }))).toEqual([reportOf()])
  })
})

describe('tools that may play a role', () => {
  const needing = resultOf('not-testable', { message: 'needs a tool that reports progress (--tool progress=NAME)' })
  const withCandidates = (more: object): Report => {
    const report = reportOf([needing])
    return { ...report, target: { ...report.target, ...more } }
  }

  it('are named in place of NAME, others beside', () => {
    const report = withCandidates({
      candidates: { progress: ['my_job', 'count_to'] },
      miscast: { slow: 'it is quick' },
    })
    for (const format of ['terminal', 'html', 'markdown'] as const) {
      const text = reporters[format]([report], { width: 200 }).replaceAll('\\', '')
      expect(text, format).toContain('--tool progress=my_job would test 1 more requirement')
      expect(text, format).toContain('or progress=count_to')
    }
    expect(reporters.terminal([report])).toContain('not the role slow: it is quick')
  })

  it('need not be known', () => {
    expect(reporters.terminal([withCandidates({})])).toContain('--tool progress=NAME would test 1 more requirement\n')
  })

  it('are refused in a saved report when they are no names', () => {
    const saved = JSON.stringify(withCandidates({ candidates: { progress: 'my_job' } }))
    expect(() => readReports(saved)).toThrow('Expected progress of the candidates to be an array of strings')
  })
})

describe('terminal', () => {
  const lines = (report: Report, options = {}) => reporters.terminal([report], options).split('\n')

  it('shows failures first and in full, and the outcome last', () => {
    const text = reporters.terminal([reportOf([resultOf('warn'), resultOf('fail'), resultOf('advice')])])
    const places = ['Failures', 'curl -sS -i', 'Warnings', 'Advice', 'were tested', '✗ 1 failure.']
    const found = places.map((place) => text.indexOf(place))
    expect(found).not.toContain(-1)
    expect(found).toEqual([...found].sort((one, other) => one - other))
    expect(text).toContain('What comes to fail is shown so.')
    expect(text).toContain(
      'https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#session-management',
    )
  })

  it('says which flags would let more be tested, most first', () => {
    const needing = (id: string, message: string) => resultOf('not-testable', { id, message })
    const results = [
      needing('session/a', 'needs a tool that answers after `ms` milliseconds (--tool slow=NAME)'),
      needing('session/b', 'needs a tool that reports progress (--tool progress=NAME)'),
      needing('session/c', 'needs a tool that reports progress (--tool progress=NAME)'),
      needing('session/d', 'needs a server that opens a stream on GET'),
      resultOf('not-run', { message: 'takes long: runs with --slow' }),
      resultOf('pass'),
    ]
    const all = lines(reportOf(results))
    const start = all.indexOf('1 of 6 requirements was tested. 4 need what this server does not offer, 1 was not run.')
    expect(all.slice(start + 1, start + 5)).toEqual([
      '  --tool progress=NAME would test 2 more requirements',
      '  --tool slow=NAME would test 1 more requirement',
      '  --slow would test 1 more requirement',
      '  1: needs a server that opens a stream on GET',
    ])
  })

  it('uses colours only when told', () => {
    const plain = reporters.terminal([reportOf()])
    const colored = reporters.terminal([reportOf()], { color: true })
    expect(plain).not.toContain('\u001b')
    expect(colored).toContain('\u001b[31m')
    expect(stripVTControlCharacters(colored)).toBe(plain)
  })

  it('wraps messages at the width of the terminal', () => {
    const message = 'Expected one thing and another '.repeat(10)
    const all = lines(reportOf([resultOf('fail', { message, curl: '', specUrl: 'https://a.test/' })]), { width: 60 })
    expect(all.filter((line) => line.includes('Expected one thing')).length).toBeGreaterThan(3)
    expect(all.slice(0, 10).every((line) => line.length <= 60)).toBe(true)
  })

  it('shows transcripts only when verbose', () => {
    const report = reportOf([resultOf('fail')])
    expect(reporters.terminal([report])).not.toContain('-> 1 POST /mcp')
    expect(reporters.terminal([report], { verbose: true })).toContain('-> 1 POST /mcp')
  })

  it('counts a warning as a failure when strict', () => {
    const report = reportOf([resultOf('warn')])
    expect(lines(report).at(-2)).toBe('✓ Nothing failed.')
    expect(lines(report, { strict: true }).at(-2)).toBe('✗ 1 failure.')
  })

  it('shows known failures with their reason, and stale entries as failures', () => {
    const baseline = new Map([
      ['session/a-fail', 'to be mended'],
      ['session/a-pass', ''],
    ])
    const text = reporters.terminal([reportOf([resultOf('fail'), resultOf('pass')])], { baseline })
    expect(text).toContain('✗ session/a-fail: to be mended')
    expect(text).toContain('Listed in the baseline, and met: delete the entry.')
    expect(text).toContain('✗ 1 failure.')
  })
})

describe('json', () => {
  it('comes back as it was, one report or several', () => {
    const texts = [[reportOf()], three()].map((reports) => reporters.json(reports))
    expect(texts.map(readReports)).toEqual([[reportOf()], three()])
    expect(texts.map((text) => text[0])).toEqual(['{', '['])
  })

  it.each([
    ['{', /^Expected a report in JSON: /],
    ['7', /^Expected a report of version 1, got 7$/],
    ['{}', /^Expected a report of version 1, got an object without a version$/],
    ['{"version":2}', /^Expected a report of version 1, got version 2$/],
    ['[{"version":1}]', /^Expected suite of the report to be an object, got undefined$/],
  ])('is refused when it is no report: %s', (text, message) => {
    expect(() => readReports(text)).toThrow(message)
    expect(() => readReports(text)).toThrow(TypeError)
  })

  it('is refused when a result has a verdict or a field that is not known', () => {
    const withResult = (more: object) => JSON.stringify({ ...reportOf(), results: [{ ...resultOf('fail'), ...more }] })
    expect(() => readReports(withResult({ verdict: 'maybe' }))).toThrow(
      /^Expected verdict of results\[0\] to be one of/,
    )
    expect(() => readReports(withResult({ message: 7 }))).toThrow(
      'Expected message of results[0] to be a string, got 7',
    )
  })
})

describe('junit', () => {
  interface Case {
    readonly name: string
    readonly failure?: { readonly message: string; readonly type: string }
    readonly skipped?: { readonly message: string }
    readonly error?: { readonly message: string }
    readonly 'system-out'?: string
  }
  interface Suite {
    readonly name: string
    readonly tests: string
    readonly failures: string
    readonly skipped: string
    readonly testcase: Case[]
  }

  function readSuites(text: string): Suite[] {
    expect(XMLValidator.validate(text)).toBe(true)
    const parser = new XMLParser({
      ignoreAttributes: false,
      attributeNamePrefix: '',
      isArray: (name) => name === 'testsuite' || name === 'testcase',
    })
    return parser.parse(text).testsuites.testsuite
  }

  const casesOf = (text: string) =>
    new Map(readSuites(text).flatMap(({ testcase }) => testcase.map((one) => [one.name, one])))

  it('has a suite for each area, with failures, skipped tests and transcripts', () => {
    const text = reporters.junit([reportOf()])
    const suites = readSuites(text)
    expect(suites.map(({ name, tests, failures, skipped }) => [name, tests, failures, skipped])).toEqual([
      ['session', '8', '1', '3'],
      ['origin', '8', '1', '3'],
    ])
    const cases = casesOf(text)
    expect(cases.get('session/a-fail')?.failure).toMatchObject({ message: 'Why it is fail', type: 'MUST' })
    expect(cases.get('session/a-fail')?.['system-out']).toContain('-> 1 POST /mcp')
    expect(cases.get('session/a-not-testable')?.skipped?.message).toBe('not-testable: Why it is not-testable')
    expect(cases.get('session/a-not-run')?.skipped?.message).toBe('not-run: Why it is not-run')
    for (const verdict of ['warn', 'advice', 'info', 'pass']) {
      const found = cases.get(`session/a-${verdict}`)
      expect(found).toBeDefined()
      expect(found).not.toHaveProperty('failure')
      expect(found).not.toHaveProperty('skipped')
    }
    expect(cases.get('origin/hostile-fail')?.['system-out']).toContain('</script><img src=x')
  })

  it('has warnings as failures when strict', () => {
    const cases = casesOf(reporters.junit([reportOf()], { strict: true }))
    expect(cases.get('session/a-warn')?.failure?.message).toBe('Why it is warn')
    expect(cases.get('session/a-advice')).not.toHaveProperty('failure')
  })

  it('skips known failures, and fails stale entries of the baseline', () => {
    const baseline = new Map([
      ['session/a-fail', 'to be mended'],
      ['session/a-pass', ''],
    ])
    const cases = casesOf(reporters.junit([reportOf()], { baseline }))
    expect(cases.get('session/a-fail')?.skipped?.message).toBe('known failure, to be mended: Why it is fail')
    expect(cases.get('session/a-pass')?.failure?.message).toMatch(/^Listed in the baseline/)
  })

  it('has an error for a run that did not come to its end, and suites for each server', () => {
    const reports = [at('http://a.test/mcp', [resultOf('pass')]), reportOf([], { incomplete: 'interrupted' })]
    const suites = readSuites(reporters.junit(reports))
    expect(suites.map(({ name }) => name)).toEqual(['http://a.test/mcp session', 'http://127.0.0.1:3000/mcp run'])
    expect(suites[1]?.testcase[0]?.error?.message).toBe('interrupted')
  })
})

describe('tap', () => {
  function readTap(text: string) {
    const results = TapParser.parse(text)
    const asserts: {
      readonly ok: boolean
      readonly name: string
      readonly todo: unknown
      readonly skip: unknown
      readonly diag?: Record<string, unknown>
    }[] = []
    const stray: string[] = []
    for (const [event, value] of results) {
      if (event === 'assert') asserts.push(value)
      if (event === 'extra' && value.trim() !== '') stray.push(value)
    }
    const [, summary] = results.at(-1) ?? []
    return { results, asserts, stray, summary }
  }

  it('can be read: what failed, what was skipped and why, what is to do', () => {
    const { asserts, stray } = readTap(reporters.tap([reportOf()]))
    const named = (id: string) => asserts.find(({ name }) => name.startsWith(id))
    expect(stray).toEqual([])
    expect(asserts).toHaveLength(16)
    expect(named('session/a-fail')).toMatchObject({ ok: false, todo: false, skip: false })
    expect(named('session/a-fail')?.diag).toMatchObject({
      message: 'Why it is fail',
      level: 'MUST',
      curl: 'curl -sS -i http://127.0.0.1:3000/mcp',
      transcript: '    0 ms  -> 1 POST /mcp',
      rows: ['R145'],
    })
    expect(named('session/a-warn')).toMatchObject({ ok: false, todo: 'warn' })
    expect(named('session/a-advice')).toMatchObject({ ok: false, todo: 'advice' })
    expect(named('session/a-pass')).toMatchObject({ ok: true, todo: false, skip: false })
    expect(named('session/a-not-run')).toMatchObject({ ok: true, skip: 'not-run: Why it is not-run' })
    expect(named('origin/hostile-fail')?.diag?.message).toContain('not ok 7 - made up\nBail out! no')
    expect(named('origin/hostile-pass')).toMatchObject({ ok: true, skip: false })
  })

  it('fails a warning when strict, and leaves a known failure to do', () => {
    const options = { strict: true, baseline: new Map([['session/a-fail', 'to be mended']]) }
    const { asserts } = readTap(reporters.tap([reportOf([resultOf('fail'), resultOf('warn')])], options))
    expect(asserts.map(({ ok, todo }) => [ok, todo])).toEqual([
      [false, 'known: to be mended'],
      [false, false],
    ])
  })

  it('has a subtest for each of several servers, and bails out of a run without end', () => {
    const { asserts, results, stray } = readTap(
      reporters.tap([...three(), reportOf([], { incomplete: 'interrupted' })]),
    )
    expect(stray).toEqual([])
    expect(asserts.map(({ ok, name }) => [ok, name])).toEqual([
      [false, 'http://a.test/mcp'],
      [false, 'http://b.test/mcp'],
      [true, 'http://c.test/mcp'],
      [true, 'http://127.0.0.1:3000/mcp'],
    ])
    expect(results).toContainEqual(['bailout', 'interrupted'])
  })
})

describe('markdown', () => {
  /** Columns of each row, by table. */
  function readTables(text: string): number[][] {
    const withoutCode = text.replaceAll(codeBlock, '')
    const blocks = withoutCode.split(/\n\n+/).filter((block) => block.startsWith('|'))
    return blocks.map((block) => block.split('\n').map((row) => row.split(/(?<!\\)\|/).length - 2))
  }

  it('has tables whose rows all have as many columns as the header', () => {
    for (const reports of [[reportOf()], three()]) {
      const tables = readTables(reporters.markdown(reports))
      expect(tables.length).toBeGreaterThan(0)
      for (const [header, ...rows] of tables) expect(rows).toEqual(rows.map(() => header))
    }
  })

  it('shows several servers side by side', () => {
    const text = reporters.markdown(three())
    expect(text).toMatch(/^\| \[`session\/a-fail`\]\(https:[^|]+\) \| MUST \| ✗ \| ✗ \| {2}\|$/m)
    expect(text).toMatch(/^\| \[`session\/a-pass`\]\(https:[^|]+\) \| MUST \| ✓ \| ✓ \| ✓ \|$/m)
  })

  it('leaves nothing of a server to be read as HTML, as a link or as the end of a code block', () => {
    const text = reporters.markdown([reportOf()])
    const prose = text.replaceAll(codeBlock, '')
    expect(prose).not.toMatch(/<(?!\/?(?:details|summary)>)/)
    expect(prose).not.toMatch(/(?<!\\)\]\(javascript:/)
    expect(prose).not.toContain('@everyone')
    expect(text).toContain('\n`````sh\n</script>')
  })
})

describe('html', () => {
  type Node = DefaultTreeAdapterMap['node']
  type Element = DefaultTreeAdapterMap['element']

  function elementsOf(node: Node): Element[] {
    const children = 'childNodes' in node ? node.childNodes.flatMap(elementsOf) : []
    return 'tagName' in node ? [node, ...children] : children
  }

  function textOf(node: Node): string {
    if (node.nodeName === '#text' && 'value' in node) return node.value
    return 'childNodes' in node ? node.childNodes.map(textOf).join('') : ''
  }

  const read = (text: string) => elementsOf(parseHtml(text))
  const attribute = ({ attrs }: Element, name: string) => attrs.find((one) => one.name === name)?.value
  const named = (elements: readonly Element[], name: string) => elements.filter(({ tagName }) => tagName === name)

  it('runs nothing that a server sent, and loads nothing', () => {
    const report = reportOf([
      ...everyVerdict(),
      resultOf('fail', { id: 'session/link', specUrl: 'javascript:alert(4)' }),
    ])
    const elements = read(reporters.html([report, ...three()]))
    expect(named(elements, 'script')).toHaveLength(1)
    expect(elements.map(({ tagName }) => tagName)).not.toContain('img')
    const attributes = elements.flatMap(({ attrs }) => attrs)
    expect(attributes.filter(({ name }) => name.startsWith('on') || name === 'src')).toEqual([])
    const links = attributes.filter(({ name }) => name === 'href')
    expect(links.length).toBeGreaterThan(0)
    expect(links.filter(({ value }) => !value.startsWith('https://'))).toEqual([])
    expect(named(elements, 'script').map(textOf).join('')).not.toContain('alert')
  })

  it('has a row for each requirement and a cell for each server, with headers that say what they are of', () => {
    const elements = read(reporters.html(three()))
    const rows = named(elements, 'tr').filter((row) => attribute(row, 'data-v') !== undefined)
    expect(rows).toHaveLength(16)
    for (const row of rows) {
      const cells = elementsOf(row)
      expect(named(cells, 'th').map((cell) => attribute(cell, 'scope'))).toEqual(['row'])
      expect(named(cells, 'td')).toHaveLength(3)
    }
    const heads = named(elements, 'th').map((cell) => attribute(cell, 'scope'))
    expect(heads.filter((scope) => scope === 'col')).toHaveLength(4)
    expect(heads).not.toContain(undefined)
  })

  it('opens message, transcript and curl line from the verdict', () => {
    const elements = read(reporters.html([reportOf([resultOf('fail'), resultOf('pass')])]))
    const buttons = named(elements, 'button').filter((one) => attribute(one, 'class') === 'v fail')
    const [opened, ...others] = new Set(buttons.map((button) => attribute(button, 'popovertarget')))
    expect([buttons.length, others]).toEqual([2, []])
    const panel = elements.find((one) => attribute(one, 'id') === opened)
    const text = panel === undefined ? '' : textOf(panel)
    for (const part of ['session/a-fail', 'Why it is fail', '-> 1 POST /mcp', 'curl -sS -i'])
      expect(text).toContain(part)
  })

  it('gives every panel an id of its own, and opens none that is not there', () => {
    const elements = read(reporters.html(three()))
    const ids = elements.flatMap((element) => attribute(element, 'id') ?? [])
    expect(new Set(ids).size).toBe(ids.length)
    const opened = named(elements, 'button').map((button) => attribute(button, 'popovertarget'))
    expect(opened.filter((id) => id === undefined || !ids.includes(id))).toEqual([])
  })

  it('stays below 1.8 MB for eight servers with long transcripts', () => {
    const transcript = '    0 ms  -> 1 POST /mcp {"jsonrpc":"2.0","id":1,"method":"ping"}\n'.repeat(400)
    const reports = Array.from({ length: 8 }, (_, server) => {
      const results = requirements.map((requirement, index) => {
        if ((index + server) % 4 > 0) return toResult(requirement, { verdict: 'pass', message: '' })
        return toResult(requirement, { verdict: 'fail', message: 'Expected 404', transcript, curl: 'curl -i' })
      })
      return at(`http://127.0.0.1:${3_000 + server}/mcp`, results)
    })
    const text = reporters.html(reports)
    expect(Buffer.byteLength(text)).toBeLessThan(1_800_000)
    expect(text).toContain('lines are left out here')
  })
})

describe('progress', () => {
  function collect() {
    const stream = new PassThrough()
    return { stream, read: () => String(stream.read() ?? '') }
  }

  it('writes a line for each failure where there is no terminal', () => {
    const { stream, read } = collect()
    const progress = createProgress({ stream, isTty: false, total: 2 })
    progress.result(resultOf('pass'))
    progress.result(resultOf('fail', { message: 'Expected\n404 \u001b[31m' }))
    progress.stop()
    expect(read()).toBe('✗ session/a-fail: Expected 404 \\u001b[31m\n')
  })

  it('writes lines to a terminal that does not know its width', () => {
    const { stream, read } = collect()
    const progress = createProgress({ stream: Object.assign(stream, { columns: 0 }), isTty: true, total: 1 })
    progress.result(resultOf('fail'))
    progress.stop()
    expect(read()).toBe('✗ session/a-fail: Why it is fail\n')
  })

  it('rewrites one line on a terminal, and removes it at the end', () => {
    const { stream, read } = collect()
    let cleared = 0
    const terminal = Object.assign(stream, {
      isTTY: true,
      columns: 80,
      clearLine: () => cleared++ >= 0,
      cursorTo: () => true,
      moveCursor: () => true,
    })
    const progress = createProgress({ stream: terminal, isTty: true, total: 2, url: 'http://127.0.0.1:3000/mcp' })
    expect(read()).toContain('0 of 2  http://127.0.0.1:3000/mcp')
    progress.result(resultOf('fail'))
    const before = cleared
    progress.stop()
    expect(cleared).toBeGreaterThan(before)
    progress.stop()
    expect(read()).not.toContain('\n')
  })
})
