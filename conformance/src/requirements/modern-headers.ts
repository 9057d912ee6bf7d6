import type { CheckContext } from '../client/context.ts'
import { expectThat, notTestable } from '../client/expect.ts'
import { isObject, type Json } from '../client/json-rpc.ts'
import {
  beyondAscii,
  describeAnswer,
  discover,
  expectHeaderMismatch,
  expectServed,
  type ModernAnswer,
  modernCall,
  modernCodes,
  modernList,
  toHeaderValue,
  toSentinel,
} from '../client/modern.ts'
import { ModernTrace } from '../client/modern-trace.ts'
import { requirement } from '../requirement.ts'

const transport = '2026-07-28/basic/transports/streamable-http'
const standard = `${transport}#standard-request-headers`
const validation = `${transport}#server-validation`
const encoding = `${transport}#value-encoding`

/** No server has it, so that a call that should have been refused does no harm. */
const noTool = 'throughline_no_such_tool'

async function callWith(context: CheckContext, name: string, header: string | undefined): Promise<ModernAnswer> {
  const params = { name, arguments: {} }
  return await modernCall(context, 'tools/call', params, { headers: { 'Mcp-Name': header } })
}

/**
 * Calls a tool with a header that does not mirror its name. A server with `echo` has to compare; of another one it may
 * show only that there is no such tool.
 */
async function expectNameRefused(context: CheckContext, header: string | undefined, what: string): Promise<void> {
  const name = context.target.roles.has('echo') ? 'echo' : noTool
  const answer = await callWith(context, name, header)
  const looksUpFirst = name === noTool && answer.response.error?.code !== modernCodes.headerMismatch
  if (looksUpFirst) notTestable('needs a tool that returns its argument `text` (--tool echo=NAME)')
  expectHeaderMismatch(answer, what)
}

/** Not testable where the server looks for the tool before it compares the header. */
async function expectComparesFirst(context: CheckContext): Promise<void> {
  const { response } = await callWith(context, noTool, 'throughline_other')
  const isRefused = response.error?.code === modernCodes.headerMismatch
  if (!isRefused) notTestable('the server looks for the tool before it compares Mcp-Name')
}

/** What is read or got for a real thing, with the header absent and with another one. */
async function expectMirrored(context: CheckContext, about: { method: string; params: Json }): Promise<void> {
  for (const header of [undefined, 'throughline-other']) {
    const answer = await modernCall(context, about.method, about.params, { headers: { 'Mcp-Name': header } })
    expectHeaderMismatch(answer, `${about.method} with Mcp-Name ${header ?? 'absent'}`)
  }
}

/** The first entry of a list, by the member that names it. */
async function firstOf(context: CheckContext, capability: 'resources' | 'prompts', member: string): Promise<string> {
  const { capabilities } = await discover(context)
  const isOffered = isObject(capabilities) && capabilities[capability] !== undefined
  const [first] = isOffered ? await modernList(context, `${capability}/list`, capability) : []
  const name = first?.[member]
  return typeof name === 'string' ? name : notTestable(`the server lists no ${capability}`)
}

/** T. Headers that mirror the method and the name. */
export const modernHeaderRequirements = [
  requirement({
    id: 'modern/method-header-is-required',
    title: 'A request without Mcp-Method is refused with 400 and error -32020.',
    rows: ['R271'],
    level: 'MUST',
    spec: validation,
    era: 'modern',
    async check(context) {
      const answer = await modernCall(context, 'server/discover', {}, { headers: { 'Mcp-Method': undefined } })
      expectHeaderMismatch(answer, 'a request without Mcp-Method')
    },
  }),
  requirement({
    id: 'modern/method-header-must-match',
    title: 'A request whose Mcp-Method is not its method is refused with 400 and error -32020.',
    rows: ['R271'],
    level: 'MUST',
    spec: validation,
    era: 'modern',
    async check(context) {
      const answer = await modernCall(context, 'server/discover', {}, { headers: { 'Mcp-Method': 'tools/list' } })
      expectHeaderMismatch(answer, 'a request of another Mcp-Method')
    },
  }),
  requirement({
    id: 'modern/method-header-is-case-sensitive',
    title: 'An Mcp-Method that is the method in another case is refused with 400 and error -32020.',
    rows: ['R271'],
    level: 'MUST',
    spec: `${transport}#case-sensitivity`,
    era: 'modern',
    async check(context) {
      const answer = await modernCall(context, 'server/discover', {}, { headers: { 'Mcp-Method': 'Server/Discover' } })
      expectHeaderMismatch(answer, 'a request of Mcp-Method in another case')
    },
  }),
  requirement({
    id: 'modern/header-names-are-case-insensitive',
    title: 'The names of mirroring headers count in any case.',
    rows: ['R009', 'R271'],
    level: 'MUST',
    spec: `${transport}#case-sensitivity`,
    era: 'modern',
    async check(context) {
      const headers = { 'Mcp-Method': undefined, 'MCP-METHOD': 'server/discover' }
      expectServed(await modernCall(context, 'server/discover', {}, { headers }), 'a request with MCP-METHOD')
    },
  }),
  requirement({
    id: 'modern/white-space-around-header-values-is-ignored',
    title: 'Spaces and tabs around the values of mirroring headers do not count.',
    rows: ['R316'],
    level: 'RFC-MUST',
    spec: 'RFC 9110 §5.5',
    era: 'modern',
    async check(context) {
      const spaced = (value: string) => ({ headers: { 'Mcp-Method': `  ${value} \t` } })
      expectServed(
        await modernCall(context, 'server/discover', {}, spaced('server/discover')),
        'a request with white space around its Mcp-Method',
      )
      const params = { name: noTool, arguments: {} }
      const headers = { 'Mcp-Name': ` \t${noTool}  ` }
      const { response } = await modernCall(context, 'tools/call', params, { headers })
      expectThat(
        response.error?.code !== modernCodes.headerMismatch,
        'Expected white space around Mcp-Name not to count, but it is refused as a mismatch',
      )
    },
  }),
  requirement({
    id: 'modern/tool-name-header-is-required',
    title: 'A tools/call without Mcp-Name is refused with 400 and error -32020.',
    rows: ['R272'],
    level: 'MUST',
    spec: standard,
    era: 'modern',
    async check(context) {
      await expectNameRefused(context, undefined, 'a tools/call without Mcp-Name')
    },
  }),
  requirement({
    id: 'modern/tool-name-header-must-match',
    title: 'A tools/call whose Mcp-Name is another name is refused with 400 and error -32020.',
    rows: ['R272'],
    level: 'MUST',
    spec: validation,
    era: 'modern',
    async check(context) {
      await expectNameRefused(context, 'throughline_other', 'a tools/call of another Mcp-Name')
    },
  }),
  requirement({
    id: 'modern/resource-uri-header-must-match',
    title: 'A resources/read whose Mcp-Name is absent or not its uri is refused with 400 and error -32020.',
    rows: ['R273'],
    level: 'MUST',
    spec: validation,
    era: 'modern',
    async check(context) {
      const uri = await firstOf(context, 'resources', 'uri')
      await expectMirrored(context, { method: 'resources/read', params: { uri } })
    },
  }),
  requirement({
    id: 'modern/prompt-name-header-must-match',
    title: 'A prompts/get whose Mcp-Name is absent or not its name is refused with 400 and error -32020.',
    rows: ['R273'],
    level: 'MUST',
    spec: validation,
    era: 'modern',
    async check(context) {
      const name = await firstOf(context, 'prompts', 'name')
      await expectMirrored(context, { method: 'prompts/get', params: { name } })
    },
  }),
  requirement({
    id: 'modern/encoded-name-is-decoded',
    title: 'An Mcp-Name in Base64 is decoded before it is compared.',
    rows: ['R274'],
    level: 'MUST',
    spec: encoding,
    era: 'modern',
    async check(context) {
      for (const name of ['throughline_tool_世界', noTool]) {
        const answer = await callWith(context, name, toSentinel(name))
        expectThat(
          answer.response.error?.code !== modernCodes.headerMismatch,
          `Expected Mcp-Name "${toSentinel(name)}" to match the name ${name}, got ${describeAnswer(answer)}`,
        )
      }
    },
  }),
  requirement({
    id: 'modern/invalid-base64-in-name-is-refused',
    title: 'An Mcp-Name with invalid Base64 between the sentinels is refused with 400 and error -32020.',
    rows: ['R274'],
    level: 'MUST',
    spec: validation,
    era: 'modern',
    async check(context) {
      await expectComparesFirst(context)
      const valid = Buffer.from(noTool).toString('base64')
      for (const value of [`${valid.slice(0, 6)}!${valid.slice(6)}`, `${valid}%%%`]) {
        const header = `=?base64?${value}?=`
        expectHeaderMismatch(await callWith(context, noTool, header), `Mcp-Name "${header}"`)
      }
    },
  }),
  requirement({
    id: 'modern/invalid-utf8-in-name-is-refused',
    title: 'An Mcp-Name whose Base64 does not encode UTF-8 is refused with 400 and error -32020.',
    rows: ['R274'],
    level: 'MUST',
    spec: validation,
    because:
      'The value is the Base64 of UTF-8; what a lenient decoder puts in place of a bad byte is not what was sent.',
    era: 'modern',
    async check(context) {
      await expectComparesFirst(context)
      const answer = await callWith(
        context,
        'throughline_\ufffd',
        toSentinel(Buffer.from('throughline_\xff', 'latin1')),
      )
      expectHeaderMismatch(answer, 'Mcp-Name with the Base64 of invalid UTF-8')
    },
  }),
  requirement({
    id: 'modern/name-beyond-ascii-is-refused',
    title: 'An Mcp-Name with bytes beyond ASCII is refused with 400 and error -32020.',
    rows: ['R274'],
    level: 'MUST',
    spec: validation,
    because: 'Invalid characters are to be refused; in such bytes a gateway may read other letters than the server.',
    era: 'modern',
    async check(context) {
      await expectComparesFirst(context)
      const name = 'throughline_tool_é'
      for (const [encoding, header] of beyondAscii(name)) {
        expectHeaderMismatch(await callWith(context, name, header), `Mcp-Name "${name}" in ${encoding}`)
      }
    },
  }),
  requirement({
    id: 'modern/sentinel-is-case-sensitive',
    title: 'An Mcp-Name with =?BASE64? in front is no encoded value, and does not match what it would encode.',
    rows: ['R274'],
    level: 'MUST',
    spec: encoding,
    era: 'modern',
    async check(context) {
      await expectComparesFirst(context)
      const header = toSentinel(noTool).replace('base64', 'BASE64')
      expectHeaderMismatch(await callWith(context, noTool, header), `Mcp-Name "${header}"`)
    },
  }),
  requirement({
    id: 'modern/mismatch-has-no-effect',
    title: 'A tools/call that is refused for its headers does not run the tool.',
    rows: ['R276'],
    level: 'MUST',
    spec: validation,
    because: 'Refusing a request and running it all the same is no refusal: the headers protect what the tool does.',
    era: 'modern',
    needs: ['role:abort_probe', 'role:abort_query'],
    async check(context) {
      const trace = await ModernTrace.create(context)
      const headers = { 'Mcp-Name': toHeaderValue('throughline_other') }
      const answer = await modernCall(context, 'tools/call', trace.params(0), { headers })
      const state = await trace.state()
      expectThat(
        state === 'unknown',
        `Expected a tools/call of another Mcp-Name to have no effect, but it was run (${state}), and answered with ${describeAnswer(answer)}`,
      )
    },
  }),
]
