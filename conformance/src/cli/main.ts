import { Command, CommanderError, Option } from 'commander'
import { profiles } from '../client/target.ts'
import { reporterNames } from '../reporters/index.ts'
import { revisions } from '../requirement.ts'
import type { RoleTool } from '../roles.ts'
import { suite } from '../suite.ts'
import { type CheckFlags, checkTargets } from './check.ts'
import { exitCodes } from './exit-codes.ts'
import { collectHeader, collectList, collectTool, readDuration, readToken } from './flags.ts'
import { listRequirements, listRoles } from './list.ts'
import { type ProbeFlags, probeTargetUrl } from './probe.ts'

const examples = `
Examples:
  $ mcp-http-conformance http://127.0.0.1:3000/mcp
  $ mcp-http-conformance https://example.com/mcp --token @token.txt --tool progress=my_job
  $ mcp-http-conformance http://127.0.0.1:3000/mcp --reporter junit --output junit.xml
  $ mcp-http-conformance a.json b.json --reporter html --output matrix.html
  $ mcp-http-conformance probe https://example.com/mcp

Exit codes: 0 all is met, 1 a failure, 2 a mistake on the command line, 3 no MCP server answers.`

/** Flags that say what server it is and how to reach it. */
function addTargetFlags(command: Command): Command {
  return command
    .option(
      '--tool <role=name>',
      "the server's tool for a role (--help roles), with arguments as JSON if it needs any",
      collectTool,
      new Map<string, RoleTool>(),
    )
    .option('--header <name: value>', 'a header for every request', collectHeader, {})
    .option('--token <token>', 'bearer token for every request, or @FILE', readToken)
    .addOption(
      new Option('--timeout <time>', 'limit for the whole run (default: 60s, 5m with --slow or --abuse)').argParser(
        readDuration,
      ),
    )
    .option('--no-color', 'no colours')
}

function addCheckFlags(command: Command): Command {
  return command
    .option('--only <ids>', 'only these requirements: ids, or areas such as session/', collectList)
    .option('--skip <ids>', 'all but these', collectList)
    .option('--slow', 'also what takes longer than a few seconds')
    .option('--abuse', 'also what could harm a real server: floods, oversize bodies, slow senders')
    .option('--strict', 'a SHOULD that is not met fails the run')
    .addOption(new Option('--revision <revision>', 'open sessions with it').choices(revisions))
    .addOption(
      new Option('--profile <profile>', 'what the server is, instead of finding it out').choices(Object.keys(profiles)),
    )
    .option('--other-token <token>', "another user's token, or @FILE", readToken)
    .option('--expired-token <token>', 'a token that has expired, or @FILE', readToken)
    .option('--weak-token <token>', 'a token without the scope that the server asks for, or @FILE', readToken)
    .option('--foreign-token <token>', 'a token for another audience, or @FILE', readToken)
    .option('--second-url <url>', 'another node of the same deployment')
    .option('--baseline <file>', 'known failures: YAML that maps ids to reasons')
    .addOption(new Option('--reporter <name>', 'how the report is written').choices(reporterNames).default('terminal'))
    .option('--output <file>', 'write the report to a file, and a summary to the terminal')
    .option('--verbose', 'show what was sent and received')
}

function createProgram(setExitCode: (code: number) => void): Command {
  const program = new Command('mcp-http-conformance')
    .description('Checks what the HTTP transport of an MCP server gets wrong. Read-only, unless told otherwise.')
    .version(suite.version)
    .argument('<targets...>', 'URLs of MCP endpoints, or files with saved JSON reports')
    .addHelpText('after', examples)
    .exitOverride()
  addCheckFlags(addTargetFlags(program)).action(async (targets: string[], flags: CheckFlags) => {
    setExitCode(await checkTargets(targets, flags))
  })
  addTargetFlags(program.command('probe'))
    .description('Looks at what stands between client and server: proxies, balancers, TLS.')
    .argument('<url>', 'URL of an MCP endpoint')
    .option('--idle <time>', 'how long a stream is left idle, to find what cuts it', readDuration, 5_000)
    .option('--json', 'print the findings as JSON')
    .action(async (url: string, flags: ProbeFlags) => {
      setExitCode(await probeTargetUrl(url, flags))
    })
  program
    .command('list')
    .description('Lists every requirement: id, level and meaning.')
    .action(() => listRequirements())
  program
    .command('roles')
    .description('Says what a tool has to do to play each role of --tool, with examples.')
    .action(() => listRoles())
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
