import { requirements } from '../requirements/index.ts'

/** Prints a line for each requirement. */
export function listRequirements(): void {
  for (const { id, level, title } of requirements)
    process.stdout.write(`${level.padEnd(10)} ${id}\n           ${title}\n`)
}
