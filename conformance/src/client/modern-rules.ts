import { isObject } from './json-rpc.ts'

/** A rule for a value: `undefined` when it holds, otherwise what is wrong, after the path to it. */
export type Rule = (value: unknown) => string | undefined

export type Rules = Readonly<Record<string, Rule>>

function plain(isRight: (value: unknown) => boolean, problem: string): Rule {
  return (value) => (isRight(value) ? undefined : problem)
}

export const text = plain((value) => typeof value === 'string', 'is no string')
export const number = plain((value) => typeof value === 'number', 'is no number')
export const integer = plain((value) => Number.isInteger(value), 'is no integer')
export const boolean = plain((value) => typeof value === 'boolean', 'is no boolean')
export const object = plain(isObject, 'is no object')
export const present = plain((value) => value !== undefined, 'is missing')
export const id = plain((value) => isId(value), 'is neither string nor integer')

export function isId(value: unknown): boolean {
  return typeof value === 'string' || Number.isInteger(value)
}

export function oneOf(...values: readonly string[]): Rule {
  return plain((value) => values.some((each) => each === value), `is none of ${values.join(', ')}`)
}

export function between(least: number, most: number): Rule {
  return plain((value) => typeof value === 'number' && value >= least && value <= most, `is not ${least} to ${most}`)
}

export function wholeFrom(least: number): Rule {
  return plain((value) => Number.isInteger(value) && Number(value) >= least, `is no integer from ${least}`)
}

export function listOf(rule: Rule, most = Number.POSITIVE_INFINITY): Rule {
  return (value) => {
    if (!Array.isArray(value)) return 'is no array'
    if (value.length > most) return `has more than ${most} items`
    return value.map((item, index) => prefixed(`[${index}]`, rule(item))).find((problem) => problem !== undefined)
  }
}

/** An object in which every member follows the rule. */
export function mapOf(rule: Rule): Rule {
  return (value) => {
    if (!isObject(value)) return 'is no object'
    const problems = Object.entries(value).map(([key, member]) => prefixed(`[${JSON.stringify(key)}]`, rule(member)))
    return problems.find((problem) => problem !== undefined)
  }
}

/** An object with these members, and any others. */
export function shape(required: Rules, optional: Rules = {}): Rule {
  return (value) => {
    if (!isObject(value)) return 'is no object'
    for (const [key, rule] of Object.entries(required)) {
      const problem = Object.hasOwn(value, key) ? rule(value[key]) : 'is missing'
      if (problem !== undefined) return prefixed(pathTo(key), problem)
    }
    for (const [key, rule] of Object.entries(optional)) {
      const problem = Object.hasOwn(value, key) ? rule(value[key]) : undefined
      if (problem !== undefined) return prefixed(pathTo(key), problem)
    }
    return undefined
  }
}

/** All of these. */
export function both(...rules: readonly Rule[]): Rule {
  return (value) => {
    for (const rule of rules) {
      const problem = rule(value)
      if (problem !== undefined) return problem
    }
    return undefined
  }
}

/** Any of these; what is wrong by the last is told. */
export function either(...rules: readonly Rule[]): Rule {
  return (value) => {
    const problems = rules.map((rule) => rule(value))
    return problems.includes(undefined) ? undefined : problems.at(-1)
  }
}

/** By the value of one member, which has to be one of those with a rule. */
export function byMember(member: string, rules: Rules): Rule {
  return (value) => {
    if (!isObject(value)) return 'is no object'
    const kind = value[member]
    const rule = typeof kind === 'string' && Object.hasOwn(rules, kind) ? rules[kind] : undefined
    return rule === undefined ? `${pathTo(member)} is ${JSON.stringify(kind) ?? 'missing'}` : rule(value)
  }
}

function pathTo(key: string): string {
  return /^\w+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}

/** What is wrong, after the path to where it is. */
export function prefixed(path: string, problem: string | undefined): string | undefined {
  if (problem === undefined) return undefined
  return `${path}${/^[.[]/.test(problem) ? '' : ' '}${problem}`
}
