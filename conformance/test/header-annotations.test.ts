import { expect, test } from 'vitest'
import { problemsOfAnnotations } from '../src/client/header-annotations.ts'

const text = (header: unknown) => ({ type: 'string', 'x-mcp-header': header })
const of = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })

test.each([
  ['none', of({ a: { type: 'string' } })],
  [
    'of each type',
    of({ a: text('A'), b: { type: 'integer', 'x-mcp-header': 'B' }, c: { type: 'boolean', 'x-mcp-header': 'C' } }),
  ],
  ['of a value that may be null', of({ a: { type: ['string', 'null'], 'x-mcp-header': 'A' } })],
  ['in an object', of({ a: of({ b: of({ c: text('C') }) }) })],
  ['of a parameter by that name', of({ 'x-mcp-header': { type: 'string' } })],
  ['in a value', of({ a: { type: 'object', default: { 'x-mcp-header': 5 }, examples: [{ 'x-mcp-header': '' }] } })],
  ['of a parameter called properties', of({ properties: of({ items: text('A') }) })],
  ['where there is no schema', undefined],
])('takes annotations: %s', (_what, schema) => {
  expect(problemsOfAnnotations(schema)).toEqual([])
})

test.each([
  ['empty', of({ a: text('') }), 'no header name'],
  ['with a space', of({ a: text('My Region') }), 'no header name'],
  ['with a line end', of({ a: text('A\n') }), 'no header name'],
  ['no text', of({ a: text(5) }), 'no header name'],
  ['twice, in another case', of({ a: text('Region'), b: of({ c: text('REGION') }) }), 'comes twice'],
  ['on a number', of({ a: { type: 'number', 'x-mcp-header': 'A' } }), 'on the type "number"'],
  ['on an object', of({ a: { type: 'object', 'x-mcp-header': 'A' } }), 'on the type "object"'],
  ['without a type', of({ a: { 'x-mcp-header': 'A' } }), 'on the type undefined'],
  ['on the root', { ...of({}), 'x-mcp-header': 'A' }, 'not reached'],
  ['in an array', of({ a: { type: 'array', items: of({ b: text('B') }) } }), 'not reached'],
  ['in a choice', of({ a: { oneOf: [text('A')] } }), 'not reached'],
  ['in a condition', of({}, { if: of({ a: text('A') }) }), 'not reached'],
  ['in a definition', of({ a: { $ref: '#/$defs/a' } }, { $defs: { a: text('A') } }), 'not reached'],
])('finds what is wrong with an annotation: %s', (_what, schema, problem) => {
  expect(problemsOfAnnotations(schema)).toEqual([expect.stringContaining(problem)])
})
