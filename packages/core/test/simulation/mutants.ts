import type { Sentence } from './database.ts'

/** Sentences whose breach the simulation does not notice, and why that is. */
const unnoticed: Partial<Record<Sentence, string>> = {}

export function expectation(sentence: Sentence): string | undefined {
  return unnoticed[sentence]
}
