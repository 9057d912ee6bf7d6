// What a body parser in front takes away from the endpoint. Each adapter lists those that hold for the parser of its framework.
import type { Exclusion } from '../src/exclusion.ts'

export const parsesBeforeOrigin: Exclusion = {
  id: 'origin/is-checked-before-the-body-is-parsed',
  reason: 'the parser in front answers 400 to malformed JSON before the endpoint sees the Origin',
}

export const readsBeforeOrigin: Exclusion = {
  id: 'origin/is-checked-before-the-body-is-read',
  reason: 'the parser in front reads the whole body before the endpoint sees the Origin',
}

export const replacesInvalidBytes: Exclusion = {
  id: 'post/invalid-utf8-is-400',
  reason: 'the parser in front replaces invalid bytes by U+FFFD',
}

export const answersMalformedJson: Exclusion = {
  id: 'post/malformed-json-is-a-parse-error',
  reason: 'the parser in front answers malformed JSON with its own page',
}

export const readsLargeBodies: Exclusion = {
  id: 'limits/declared-large-body-is-413',
  reason: 'the parser in front reads a body to its end before it answers 413',
}
