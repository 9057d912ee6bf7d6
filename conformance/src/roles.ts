import { isObject, type Json } from './client/json-rpc.ts'

/** A tool of the server under test that plays a role, and arguments it is always called with. */
export interface RoleTool {
  readonly tool: string
  readonly args: Json
}

interface RoleDefinition {
  /** What the tool does: "needs a tool that …". */
  readonly does: string
  /** Tools that play the role when the server has one, the best first. */
  readonly tools: readonly RoleTool[]
}

function played(does: string, ...tools: (string | RoleTool)[]): RoleDefinition {
  return { does, tools: tools.map((tool) => (typeof tool === 'string' ? { tool, args: {} } : tool)) }
}

/**
 * What checks need tools for, by the names that the checks call them. Tools of this suite's own fixture server come
 * first; those of the official suite's fixture serve where they do enough.
 */
export const roles = {
  echo: played('returns its argument `text`', 'echo'),
  progress: played(
    'reports progress at least three times while it runs',
    { tool: 'burst', args: { count: 3, delayMs: 50 } },
    'test_tool_with_progress',
  ),
  log: played('sends at least three log messages while it runs', 'test_tool_with_logging'),
  burst: played('reports `count` times progress, numbered from 1, `delayMs` apart, `bytes` of filler in each', 'burst'),
  flood: played('does as `burst`, without waiting for a slow reader', 'flood'),
  late_progress: played('reports progress twice more after its answer', 'late_progress'),
  slow: played('answers after `ms` milliseconds', 'slow'),
  big: played('returns a text of `bytes` bytes, then its SHA-256', 'big'),
  unicode: played('returns a text in many scripts', 'unicode'),
  counter: played('adds `add` to a number that all sessions share, and returns it', 'counter'),
  abort_probe: played('waits `ms`, and remembers under `key` whether it was aborted', 'abort_probe'),
  abort_query: played('tells what became of the abort probe with that `key`', 'abort_query'),
  throw_sync: played('throws', 'throw_sync'),
  throw_after_progress: played('reports progress, then throws', 'throw_after_progress'),
  ask: played('asks the user by elicitation, and returns a text with the answer in it', 'ask', {
    tool: 'test_elicitation',
    args: { message: 'A question of the conformance suite' },
  }),
  ask_sampling: played("asks the client's model, and returns a text with the model's in it", 'ask_sampling', {
    tool: 'test_sampling',
    args: { prompt: 'A question of the conformance suite' },
  }),
  ask_roots: played("asks for the client's roots", 'ask_roots'),
  close: played('ends the connection that its call came on before it answers', 'test_reconnection', 'close_stream'),
  close_stream: played(
    'ends its connection `times` times, `delayMs` apart, and sends an event each time',
    'close_stream',
  ),
  close_standalone: played('ends the connection of the standalone stream', 'close_standalone'),
  push: played('sends `count` log messages that begin with `text` on the standalone stream', 'push'),
  push_later: played('answers, and does as `push` after `ms`', 'push_later'),
  list_changed: played('announces a change of the list of tools', 'list_changed', 'test_trigger_tool_change'),
  prompts_changed: played('announces a change of the list of prompts', 'test_trigger_prompt_change'),
  touch_resource: played('announces a change of the resource `uri`', 'touch_resource'),
  missing_capability: played('needs the client capability `sampling`', 'test_missing_capability'),
  missing_scope: played('needs an OAuth scope that the token lacks', 'test_missing_scope'),
  header_param: played(
    'has arguments that are mirrored in headers (x-mcp-header), and changes nothing',
    'test_x_mcp_header',
  ),
  ask_modern: played(
    'asks the user when a client of 2026-07-28 calls it',
    'test_streaming_elicitation',
    'test_input_required_result_elicitation',
  ),
} satisfies Record<string, RoleDefinition>

export type Role = keyof typeof roles

/** What a call of each role's tool looks like. */
export const roleExamples: Readonly<Record<Role, string>> = {
  echo: '{"text":"hi"} → hi',
  progress: '{} with a progress token → notifications/progress 1, 2, 3, then a result',
  log: '{} → notifications/message three times, then a result',
  burst: '{"count":3,"delayMs":50} with a progress token → notifications/progress 1, 2, 3, then a result',
  flood: '{"count":1000,"bytes":16384} with a progress token → a thousand notifications at once, then a result',
  late_progress: '{} with a progress token → a result, and notifications/progress sent after it',
  slow: '{"ms":1200} → a result after 1.2 seconds',
  big: '{"bytes":1000} → a text of 1,000 bytes, and as second content its SHA-256 in hex',
  unicode: '{} → façade ψυχή 漢字 😀',
  counter: '{"add":1} → 1, and again → 2',
  abort_probe: '{"key":"k","ms":10000} → a result after ten seconds, unless it was aborted',
  abort_query: '{"key":"k"} → running, aborted, finished, or unknown',
  throw_sync: '{} → a result with isError, or an error',
  throw_after_progress: '{} with a progress token → notifications/progress, then a result with isError, or an error',
  ask: '{} → elicitation/create to the client, which answers {"answer":"yes"} → a text with yes in it',
  ask_sampling: '{} → sampling/createMessage to the client, which answers hello → a text with hello in it',
  ask_roots: '{} → roots/list to the client, then a result',
  close: '{} → its stream ends without a response; the response comes when the client resumes',
  close_stream:
    '{"times":3,"delayMs":60} with a progress token → the stream ends three times, notifications/progress 1 to 4 over all',
  close_standalone: '{} → the stream of GET ends, then a result',
  push: '{"count":2,"text":"t"} → notifications/message t:1 and t:2 on the stream of GET, and a result',
  push_later: '{"count":2,"text":"t","ms":100} → a result, and a tenth of a second later what push sends',
  list_changed: '{} → notifications/tools/list_changed, and a result',
  prompts_changed: '{} → notifications/prompts/list_changed, and a result',
  touch_resource: '{"uri":"test://watched-resource"} → notifications/resources/updated to who asked for it',
  missing_capability: '{} from a client without sampling → the error -32021',
  missing_scope: '{} → 403 with the challenge error="insufficient_scope"',
  header_param: '{"region":"eu"} with the header Mcp-Param-Region → a result',
  ask_modern: '{} → a result of the type input_required, and after the answer a complete one',
}

export type RoleTools = ReadonlyMap<string, RoleTool>

export const roleNames = Object.keys(roles) as Role[]

export function isRole(name: string): name is Role {
  return Object.hasOwn(roles, name)
}

/** What only checks of revision 2026-07-28 ask for. */
const modernRoles: ReadonlySet<string> = new Set<Role>([
  'prompts_changed',
  'missing_capability',
  'header_param',
  'ask_modern',
])

/** Whether the server has the tools of this suite's own fixture. */
export function isFixture(tools: ReadonlySet<string>): boolean {
  return tools.has('abort_probe') && tools.has('abort_query')
}

/** What tools that may play a role are called, of roles for which a name tells something. */
const hints: Readonly<Partial<Record<Role, RegExp>>> = {
  echo: /echo|repeat|parrot/i,
  progress: /progress|long|job|batch|stream|count/i,
  slow: /slow|sleep|wait|delay|long/i,
  log: /log/i,
  ask: /elicit|confirm|ask|form|prompt_?user/i,
  ask_sampling: /sampl|llm|complet/i,
  ask_roots: /root/i,
  list_changed: /(add|register|enable|toggle).*tool/i,
}

const mostCandidates = 3

/** Tools that might play a role which none plays. Whether they do, and whether they may be called, the user knows. */
export function findCandidates(tools: ReadonlySet<string>, cast: RoleTools): Map<Role, string[]> {
  const candidates = new Map<Role, string[]>()
  for (const [role, hint] of Object.entries(hints) as [Role, RegExp][]) {
    const found = cast.has(role) ? [] : [...tools].filter((tool) => hint.test(tool)).slice(0, mostCandidates)
    if (found.length > 0) candidates.set(role, found)
  }
  return candidates
}

/**
 * Which of the server's tools plays each role; what the user says goes first. A server of both eras may list
 * `modernTools` to clients of 2026-07-28 alone.
 */
export function castRoles(
  tools: ReadonlySet<string>,
  chosen: RoleTools = new Map(),
  modernTools: ReadonlySet<string> = tools,
): RoleTools {
  const cast = new Map<string, RoleTool>()
  // A server of somebody else's may have a tool named `push` or `slow`, which must not be called by accident.
  const isMeant = ({ tool }: RoleTool) => isFixture(tools) || tool.startsWith('test_')
  for (const role of roleNames) {
    const listed = modernRoles.has(role) ? modernTools : tools
    const found = chosen.get(role) ?? roles[role].tools.find((each) => listed.has(each.tool) && isMeant(each))
    if (found !== undefined) cast.set(role, found)
  }
  return cast
}

/** A message in which the role of a `tools/call` has become the tool that plays it. Batches too. */
export function withCastTools(body: unknown, cast: RoleTools): unknown {
  if (Array.isArray(body)) return body.map((item) => withCastTools(item, cast))
  if (!isObject(body) || body.method !== 'tools/call' || !isObject(body.params)) return body
  const { name } = body.params
  const player = typeof name === 'string' ? cast.get(name) : undefined
  if (player === undefined) return body
  const given = isObject(body.params.arguments) ? body.params.arguments : {}
  return { ...body, params: { ...body.params, name: player.tool, arguments: { ...player.args, ...given } } }
}
