#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { cancel, outro, select, text } from '@clack/prompts'
import { createProject, sdks, templates } from './create-project.ts'
import { toShellWord } from './shell-word.ts'

const help = `npm create @throughline/mcp-http@latest FOLDER -- --template NAME [--sdk 2]

  --template  ${templates.join(', ')}
  --sdk       1: @modelcontextprotocol/sdk, clients with sessions (default)
              2: @modelcontextprotocol/server, those of 2026-07-28 too`

const { values, positionals } = readArguments()

if (values.help) console.log(help)
else await main().catch(fail)

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        template: { type: 'string', short: 't' },
        sdk: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    return fail(error)
  }
}

async function main(): Promise<void> {
  const [given, ...others] = positionals
  if (others.length > 0) {
    const found = `${positionals.length}: ${positionals.join(', ')}`
    throw new Error(`Expected one FOLDER, got ${found}. One with spaces in its name is put in quotes`)
  }
  const folder = given ?? (await ask('FOLDER', () => text({ message: 'Folder', defaultValue: 'mcp-server' })))
  const template = values.template ?? (await ask('--template', () => choose('Framework', templates)))
  const sdk = values.sdk ?? '1'
  if (!isOneOf(templates, template))
    throw new Error(`Expected --template to be ${templates.join(', ')}, got ${template}`)
  if (!isOneOf(sdks, sdk)) throw new Error(`Expected --sdk to be ${sdks.join(' or ')}, got ${sdk}`)
  await createProject({ folder, template, sdk, range: `^${ownVersion()}` })
  outro(`cd ${toShellWord(folder)} && npm install && npm run dev`)
}

/** Asks a person, and nobody else: a script is told what it left out. */
async function ask(missing: string, question: () => Promise<string | symbol>): Promise<string> {
  if (!process.stdin.isTTY) throw new Error(`Expected ${missing}\n\n${help}`)
  const answer = await question()
  if (typeof answer === 'string') return answer
  cancel('Nothing was made')
  return process.exit(1)
}

const choose = (message: string, values: readonly string[]) =>
  select({ message, options: values.map((value) => ({ value, label: value })) })

function isOneOf<Value extends string>(values: readonly Value[], value: string): value is Value {
  return values.some((each) => each === value)
}

/** All packages have one version. */
function ownVersion(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
}

function fail(error: unknown): never {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
