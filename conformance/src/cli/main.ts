import { Command, CommanderError, Option } from 'commander'
import { profiles } from '../client/target.ts'
import { reporterNames } from '../reporters/index.ts'
import { revisions } from '../requirement.ts'
import { suite } from '../suite.ts'
import { type CheckFlags, checkTargets } from './check.ts'
import { exitCodes } from './exit-codes.ts'
import { collectHeader, collectList, collectTool, readDuration, readFileName, readToken } from './flags.ts'
import { description, examples, probeExitCodes, questions } from './help.ts'
import { listRequirements, listRoles } from './list.ts'
import { type ProbeFlags, probeTargetUrl } from './probe.ts'

const toolFlag = [
  '--tool <role=name>',
  "the server's tool for a role (see --help roles); arguments it needs follow as JSON",
  collectTool,
] as const

function addReachFlags(command: Command): Command {
  return command
    .optionsGroup(questions.reach)
    .option('--token <token>', 'bearer token for every request, or @FILE', readToken)
    .option('--header <name: value>', 'a header for every request', collectHeader)
}

function addServerFlags(command: Command): Command {
  const profile = new Option('--profile <name>', 'what it is, instead of finding it out')
  return command
    .option('--second-url <url>', 'another node of the same deployment')
    .optionsGroup(questions.offers)
    .option(...toolFlag)
    .addOption(profile.choices(Object.keys(profiles)))
    .addOption(new Option('--revision <date>', 'open sessions with it').choices(revisions))
    .option('--other-token <token>', "another user's token, or @FILE", readToken)
    .option('--expired-token <token>', 'a token that has expired, or @FILE', readToken)
    .option('--weak-token <token>', 'a token without a scope it asks for, or @FILE', readToken)
    .option('--foreign-token <token>', 'a token for another audience, or @FILE', readToken)
}

function addCheckFlags(command: Command): Command {
  const timeout = new Option('--timeout <time>', 'limit for the whole run (default: 60s, 5m with --slow or --abuse)')
  return command
    .optionsGroup(questions.checked)
    .option('--only <ids>', 'ids, or areas such as session/ (see list)', collectList)
    .option('--skip <ids>', 'all but these', collectList)
    .option('--slow', 'also what takes longer than a few seconds')
    .option('--abuse', 'also what could harm a server that others use')
    .addOption(timeout.argParser(readDuration))
    .optionsGroup(questions.fails)
    .option('--strict', 'also a SHOULD that is not met')
    .option('--baseline <file>', 'not the failures listed there: YAML that maps ids to reasons', readFileName)
}

function addReportFlags(command: Command): Command {
  const reporter = new Option('--reporter <name>', 'in this format').choices(reporterNames).default('terminal')
  return command
    .optionsGroup(questions.reported)
    .addOption(reporter)
    .option('--output <file>', 'in a file, with a short summary on the terminal', readFileName)
    .option('--verbose', 'with all that was sent and received')
    .option('--no-color', 'without colours')
}

function addProbe(program: Command, setExitCode: (code: number) => void): void {
  addReachFlags(program.command('probe'))
    .description('Looks at what stands between client and server: proxies, balancers, TLS.')
    .argument('<url>', 'URL of an MCP endpoint')
    .optionsGroup(questions.watched)
    .option(...toolFlag)
    .addOption(
      new Option('--idle <time>', 'how long a silent stream is watched').argParser(readDuration).default(5_000, '5s'),
    )
    .option('--timeout <time>', 'limit for the whole probe (default: none)', readDuration)
    .optionsGroup(questions.reported)
    .option('--json', 'as JSON')
    .option('--no-color', 'without colours')
    .optionsGroup(questions.about)
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', probeExitCodes)
    .action(async (url: string, flags: ProbeFlags) => {
      setExitCode(await probeTargetUrl(url, flags))
    })
}

function addLists(program: Command): void {
  program
    .command('list')
    .description('Lists every requirement: id, level and meaning.')
    .action(() => listRequirements())
  program
    .command('roles')
    .description('Says what a tool has to do to play each role of --tool, with examples.')
    .action(() => listRoles())
}

function createProgram(setExitCode: (code: number) => void): Command {
  const program = new Command('mcp-http-conformance')
    .description(description)
    .argument('<targets...>', 'URLs of MCP endpoints, or saved JSON reports')
    .addHelpText('after', examples)
    .exitOverride()
  addReportFlags(addCheckFlags(addServerFlags(addReachFlags(program))))
    .optionsGroup(questions.about)
    .version(suite.version, '-V, --version', 'show its version')
    .helpOption('-h, --help', 'show this help')
    .commandsGroup('What else can it do?')
    .helpCommand(false)
    .action(async (targets: string[], flags: CheckFlags) => {
      setExitCode(await checkTargets(targets, flags))
    })
  addProbe(program, setExitCode)
  addLists(program)
  return program
}

/** `--help roles` is what one tries first. */
function withoutHelp(argv: readonly string[]): string[] {
  return argv.includes('roles') ? argv.filter((argument) => argument !== '--help') : [...argv]
}

/** Runs the command line; resolves with what the process is to end with. */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.ok
  try {
    const program = createProgram((code) => {
      exitCode = code
    })
    await program.parseAsync(withoutHelp(argv))
    return exitCode
  } catch (error) {
    // Commander has printed it: help and version end with 0, everything else is a mistake.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    if (!(error instanceof TypeError)) throw error
    process.stderr.write(`error: ${error.message}\n`)
    return exitCodes.usage
  }
}
