import { requirements } from '../requirements/index.ts'
import { roleExamples, roleNames, roles } from '../roles.ts'

/** Prints a line for each requirement. */
export function listRequirements(): void {
  for (const { id, level, title } of requirements)
    process.stdout.write(`${level.padEnd(10)} ${id}\n           ${title}\n`)
}

/** Prints what a tool has to do to play each role, with an example. */
export function listRoles(): void {
  for (const role of roleNames) {
    process.stdout.write(`${role}\n  a tool that ${roles[role].does}\n  ${roleExamples[role]}\n`)
  }
  process.stdout.write(
    '\nName yours with --tool ROLE=NAME, and arguments it needs as JSON after the name. Each is tried once before the\n' +
      'checks: one that does something else is said so, and what needs it is not testable.\n',
  )
}
