import { countVerdicts, type Report, verdicts } from '../report.ts'

type Fields = Readonly<Record<string, unknown>>
type Kind = 'string' | 'number' | 'strings' | 'record' | 'object' | 'array'

const resultFields: Readonly<Record<string, Kind>> = {
  id: 'string',
  title: 'string',
  level: 'string',
  rows: 'strings',
  spec: 'string',
  specUrl: 'string',
  because: 'string',
  verdict: 'string',
  message: 'string',
  transcript: 'string',
  curl: 'string',
  durationMs: 'number',
}

const reportFields: Readonly<Record<string, Kind>> = {
  suite: 'object',
  target: 'object',
  startedAt: 'string',
  durationMs: 'number',
  incomplete: 'string',
  counts: 'object',
  results: 'array',
}

const targetFields: Readonly<Record<string, Kind>> = {
  url: 'string',
  server: 'string',
  revisions: 'strings',
  offers: 'strings',
  roles: 'record',
}

/** Reads what the reporter `json` wrote, one report or several. Throws `TypeError` when it is anything else. */
export function readReports(text: string): Report[] {
  const value = parseJson(text)
  return (Array.isArray(value) ? value : [value]).map((report) => toReport(report))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new TypeError(`Expected a report in JSON: ${error instanceof Error ? error.message : error}`)
  }
}

function toReport(value: unknown): Report {
  if (!isObject(value)) throw new TypeError(`Expected a report of version 1, got ${describe(value)}`)
  if (value.version !== 1) {
    const got = value.version === undefined ? 'an object without a version' : `version ${describe(value.version)}`
    throw new TypeError(`Expected a report of version 1, got ${got}`)
  }
  expectFields(value, reportFields, 'the report')
  expectFields(value.suite, { name: 'string', version: 'string' }, 'its suite')
  expectFields(value.target, targetFields, 'its target')
  const { revision } = value.target as Fields
  if (revision !== null) expectFields(value.target, { revision: 'string' }, 'its target')
  expectOptional(value.target as Fields)
  for (const [index, result] of (value.results as unknown[]).entries()) expectResult(result, `results[${index}]`)
  const report = value as unknown as Report
  // What an earlier version saved has no counts of verdicts that came later.
  return { ...report, counts: countVerdicts(report.results) }
}

/** What only later versions save. */
function expectOptional({ miscast = {}, candidates = {} }: Fields): void {
  expectFields({ miscast, candidates }, { miscast: 'record', candidates: 'object' }, 'its target')
  for (const [role, tools] of Object.entries(candidates as Fields)) {
    expectFields({ [role]: tools }, { [role]: 'strings' }, 'the candidates')
  }
}

function expectResult(result: unknown, where: string): void {
  expectFields(result, resultFields, where)
  const { verdict } = result as { verdict: string }
  if (verdicts.some((known) => known === verdict)) return
  throw new TypeError(`Expected verdict of ${where} to be one of ${verdicts.join(', ')}, got ${describe(verdict)}`)
}

function expectFields(value: unknown, fields: Readonly<Record<string, Kind>>, where: string): void {
  if (!isObject(value)) throw new TypeError(`Expected ${where} to be an object, got ${describe(value)}`)
  for (const [name, kind] of Object.entries(fields)) {
    if (isOfKind(value[name], kind)) continue
    throw new TypeError(`Expected ${name} of ${where} to be ${kindNames[kind]}, got ${describe(value[name])}`)
  }
}

const kindNames: Readonly<Record<Kind, string>> = {
  string: 'a string',
  number: 'a number',
  strings: 'an array of strings',
  record: 'an object of strings',
  object: 'an object',
  array: 'an array',
}

function isOfKind(value: unknown, kind: Kind): boolean {
  if (kind === 'array') return Array.isArray(value)
  if (kind === 'strings') return Array.isArray(value) && value.every((item) => typeof item === 'string')
  if (kind === 'object') return isObject(value)
  if (kind === 'record') return isObject(value) && Object.values(value).every((item) => typeof item === 'string')
  return kind === 'string' ? typeof value === 'string' : typeof value === 'number'
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  const text = JSON.stringify(value)
  return text === undefined || text.length > 60 ? typeof value : text
}
