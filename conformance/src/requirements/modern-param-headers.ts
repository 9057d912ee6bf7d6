import type { CheckContext } from '../client/context.ts'
import { expectNone, expectThat, notTestable } from '../client/expect.ts'
import { problemsOfAnnotations } from '../client/header-annotations.ts'
import { isObject, type Json } from '../client/json-rpc.ts'
import {
  beyondAscii,
  describeAnswer,
  expectHeaderMismatch,
  type ModernAnswer,
  modernCodes,
  modernList,
  modernRole,
  modernTool,
  toHeaderValue,
  toSentinel,
} from '../client/modern.ts'
import { requirement } from '../requirement.ts'

const transport = '2026-07-28/basic/transports/streamable-http'
const custom = `${transport}#server-behavior-for-custom-headers`
const needs = ['role:header_param'] as const

/** An argument that a header mirrors. */
interface MirroredParam {
  readonly name: string
  readonly header: string
  /** One of the values that its schema allows, if it names any. */
  readonly known: unknown
}

/** The first argument of this type that the tool wants mirrored. */
async function findParam(context: CheckContext, type: 'string' | 'integer' | 'boolean'): Promise<MirroredParam> {
  const { inputSchema } = await modernRole(context, 'header_param')
  const properties = isObject(inputSchema) && isObject(inputSchema.properties) ? inputSchema.properties : {}
  for (const [name, schema] of Object.entries(properties)) {
    if (!isObject(schema) || schema.type !== type) continue
    const header = schema['x-mcp-header']
    const known: unknown = Array.isArray(schema.enum) ? schema.enum[0] : undefined
    if (typeof header === 'string') return { name, header: `Mcp-Param-${header}`, known }
  }
  return notTestable(`the tool for header_param has no argument of type ${type} with x-mcp-header`)
}

async function callWith(context: CheckContext, args: Json, headers: Record<string, string>): Promise<ModernAnswer> {
  return await modernTool(context, 'header_param', args, { headers })
}

/** Whatever the tool makes of its arguments, the headers are right. */
function expectHeadersAccepted(answer: ModernAnswer, what: string): void {
  expectThat(
    answer.response.error?.code !== modernCodes.headerMismatch,
    `Expected ${what} to be accepted, got ${describeAnswer(answer)}`,
  )
}

/** T. Headers that mirror arguments. */
export const modernParamHeaderRequirements = [
  requirement({
    id: 'modern/header-annotations-are-valid',
    title:
      'Each x-mcp-header in the list of tools is a header name, once in its tool, on a text, integer or boolean that properties alone lead to.',
    rows: ['R275'],
    level: 'MUST',
    spec: `${transport}#schema-extension`,
    because: 'Clients must leave out a tool with any other, so that nobody can call it.',
    era: 'modern',
    async check(context) {
      const tools = await modernList(context, 'tools/list', 'tools')
      if (!JSON.stringify(tools).includes('"x-mcp-header"')) notTestable('no tool has x-mcp-header')
      const problems = tools.flatMap(({ name, inputSchema }) =>
        problemsOfAnnotations(inputSchema).map((problem) => `${String(name)}: ${problem}`),
      )
      expectNone(problems)
    },
  }),
  requirement({
    id: 'modern/matching-param-header-is-accepted',
    title: 'A tools/call whose Mcp-Param header is the value of its argument is accepted.',
    rows: ['R275'],
    level: 'MUST',
    spec: custom,
    era: 'modern',
    needs,
    async check(context) {
      const { name, header, known = 'us-west1' } = await findParam(context, 'string')
      const answer = await callWith(context, { [name]: known }, { [header]: toHeaderValue(String(known)) })
      expectHeadersAccepted(answer, `${header} with the value of ${name}`)
    },
  }),
  requirement({
    id: 'modern/param-header-must-match',
    title:
      'A tools/call whose Mcp-Param header has another value than its argument is refused with 400 and error -32020.',
    rows: ['R275'],
    level: 'MUST',
    spec: custom,
    era: 'modern',
    needs,
    async check(context) {
      const { name, header, known = 'us-west1' } = await findParam(context, 'string')
      const answer = await callWith(context, { [name]: known }, { [header]: `${toHeaderValue(String(known))}-other` })
      expectHeaderMismatch(answer, `${header} with another value than ${name}`)
    },
  }),
  requirement({
    id: 'modern/param-header-is-required',
    title: 'A tools/call with the argument and without its Mcp-Param header is refused with 400 and error -32020.',
    rows: ['R275'],
    level: 'MUST',
    spec: custom,
    era: 'modern',
    needs,
    async check(context) {
      const { name, header, known = 'us-west1' } = await findParam(context, 'string')
      expectHeaderMismatch(await callWith(context, { [name]: known }, {}), `${name} without ${header}`)
    },
  }),
  requirement({
    id: 'modern/param-header-of-no-value-is-not-expected',
    title: 'A tools/call whose argument is null or absent needs no Mcp-Param header.',
    rows: ['R275'],
    level: 'MUST',
    spec: custom,
    era: 'modern',
    needs,
    async check(context) {
      const { name } = await findParam(context, 'string')
      expectHeadersAccepted(await callWith(context, {}, {}), `a call without ${name} and its header`)
      expectHeadersAccepted(await callWith(context, { [name]: null }, {}), `a call with a ${name} of null`)
    },
  }),
  requirement({
    id: 'modern/encoded-param-is-decoded',
    title: 'An Mcp-Param header in Base64 is decoded before it is compared.',
    rows: ['R275'],
    level: 'MUST',
    spec: custom,
    era: 'modern',
    needs,
    async check(context) {
      const { name, header, known = 'Hello, 世界' } = await findParam(context, 'string')
      const answer = await callWith(context, { [name]: known }, { [header]: toSentinel(String(known)) })
      expectHeadersAccepted(answer, `${header} with the Base64 of ${name}`)
    },
  }),
  requirement({
    id: 'modern/invalid-base64-in-param-is-refused',
    title: 'An Mcp-Param header with invalid Base64 between the sentinels is refused with 400 and error -32020.',
    rows: ['R275'],
    level: 'MUST',
    spec: custom,
    era: 'modern',
    needs,
    async check(context) {
      const { name, header, known = 'us-west1' } = await findParam(context, 'string')
      const valid = Buffer.from(String(known)).toString('base64')
      const invalid = `=?base64?${valid.slice(0, 2)}!${valid.slice(2)}?=`
      const answer = await callWith(context, { [name]: known }, { [header]: invalid })
      expectHeaderMismatch(answer, `${header} "${invalid}"`)
    },
  }),
  requirement({
    id: 'modern/param-beyond-ascii-is-refused',
    title: 'An Mcp-Param header with bytes beyond ASCII is refused with 400 and error -32020.',
    rows: ['R275'],
    level: 'MUST',
    spec: custom,
    era: 'modern',
    needs,
    async check(context) {
      const { name, header, known } = await findParam(context, 'string')
      if (known !== undefined) notTestable(`${name} takes only certain values`)
      const value = 'us-wést1'
      for (const [encoding, sent] of beyondAscii(value)) {
        const answer = await callWith(context, { [name]: value }, { [header]: sent })
        expectHeaderMismatch(answer, `${header} "${value}" in ${encoding}`)
      }
    },
  }),
  requirement({
    id: 'modern/integer-param-must-match',
    title:
      'A tools/call whose Mcp-Param header is another number than its argument is refused with 400 and error -32020.',
    rows: ['R275'],
    level: 'MUST',
    spec: custom,
    era: 'modern',
    needs,
    async check(context) {
      const { name, header } = await findParam(context, 'integer')
      const right = await callWith(context, { [name]: 42 }, { [header]: '42' })
      expectHeadersAccepted(right, `${header} 42 with a ${name} of 42`)
      const wrong = await callWith(context, { [name]: 42 }, { [header]: '43' })
      expectHeaderMismatch(wrong, `${header} 43 with a ${name} of 42`)
    },
  }),
  requirement({
    id: 'modern/integer-param-is-compared-as-a-number',
    title: 'An Mcp-Param header of 42.0 matches an argument of 42.',
    rows: ['R275'],
    level: 'SHOULD',
    spec: `${transport}#server-validation`,
    era: 'modern',
    needs,
    async check(context) {
      const { name, header } = await findParam(context, 'integer')
      const answer = await callWith(context, { [name]: 42 }, { [header]: '42.0' })
      expectHeadersAccepted(answer, `${header} 42.0 with a ${name} of 42`)
    },
  }),
  requirement({
    id: 'modern/boolean-param-is-lower-case',
    title:
      'An Mcp-Param header of true matches an argument of true, and one of TRUE is refused with 400 and error -32020.',
    rows: ['R275'],
    level: 'MUST',
    spec: `${transport}#value-encoding`,
    because: 'Booleans are lower case in headers, and header values are case-sensitive.',
    era: 'modern',
    needs,
    async check(context) {
      const { name, header } = await findParam(context, 'boolean')
      const right = await callWith(context, { [name]: true }, { [header]: 'true' })
      expectHeadersAccepted(right, `${header} true with a ${name} of true`)
      const wrong = await callWith(context, { [name]: true }, { [header]: 'TRUE' })
      expectHeaderMismatch(wrong, `${header} TRUE with a ${name} of true`)
    },
  }),
]
