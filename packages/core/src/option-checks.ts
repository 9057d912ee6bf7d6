/** What an option was expected to be, and what was found. */
export function expected(what: string, got: unknown): TypeError {
  return new TypeError(`Expected ${what}, got ${show(got)} (${got === null ? 'null' : typeof got})`)
}

/** What can only be called with `new`. */
export function isClass(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}

/** Characters of what was found. */
const maxShown = 200

function show(value: unknown): string {
  if (typeof value === 'function') return isClass(value) ? `the class ${value.name}` : 'a function'
  if (typeof value === 'string') return JSON.stringify(value).slice(0, maxShown)
  if (typeof value !== 'object' || value === null) return String(value)
  const made = Object.getPrototypeOf(value)?.constructor as { name: string } | undefined
  if (made && made !== Object && made !== Array) return `an object of ${made.name}`
  try {
    return JSON.stringify(value).slice(0, maxShown)
  } catch {
    // It refers to itself, or holds what JSON has no word for.
    return 'an object'
  }
}

/** Turns an option's value into the one that is used, or throws what was expected. */
export type Check<Value> = (value: unknown, name: string) => Value

/** One option: what it is when it is left out, and its check. */
export interface OptionRow<Value> {
  readonly fallback: unknown
  readonly check: Check<Value>
}

export function option<Value>(fallback: unknown, check: Check<Value>): OptionRow<Value> {
  return { fallback, check }
}

/** What a table of options gives. */
export type Checked<Table extends Record<string, OptionRow<unknown>>> = {
  readonly [Name in keyof Table]: ReturnType<Table[Name]['check']>
}

/**
 * Every option of a table, checked.
 * @throws TypeError that names the option, what was expected and what was given.
 */
export function checkOptions<Table extends Record<string, OptionRow<unknown>>>(
  table: Table,
  given: unknown,
): Checked<Table> {
  if (typeof given !== 'object' || given === null) throw expected('the options to be an object', given)
  const options = given as Readonly<Record<string, unknown>>
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(table, name))
  if (unknown !== undefined) throw unknownOption(unknown, given, Object.keys(table))
  const entries = Object.entries(table).map(([name, { fallback, check }]) => {
    return [name, check(options[name] === undefined ? fallback : options[name], name)]
  })
  return Object.fromEntries(entries)
}

/** What inherits is no set of options at all, such as the request that `mcp` got in place of an endpoint. */
function unknownOption(name: string, given: object, known: readonly string[]): TypeError {
  if (!isPlain(given)) return expected('plain options', given)
  return new TypeError(`Unknown option: ${name} (known are ${known.join(', ')})`)
}

/** What is written as `{ … }`, or has no prototype. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return !prototype || !Object.getPrototypeOf(prototype)
}

/** What may be left out. */
export function optional<Value>(check: Check<Value>): Check<Value | undefined> {
  return (value, name) => (value === undefined ? undefined : check(value, name))
}

// The types are those that the caller declares: a check cannot see what a function takes.

/** `such` completes what was expected: `, such as that of createBearerAuth(…)`. */
export function aFunction<Value>(such = ''): Check<Value> {
  return (value, name) => {
    if (typeof value === 'function') return value as Value
    throw expected(`${name} to be a function${such}`, value)
  }
}

export function anOptionalFunction<Value>(such?: string): Check<Value | undefined> {
  return optional(aFunction<Value>(such))
}

/** An object with these methods. */
export function withMethods<Value>(...methods: readonly (string & keyof Value)[]): Check<Value> {
  return (value, name) => {
    const members = (value ?? {}) as Partial<Record<string, unknown>>
    for (const method of methods) {
      if (typeof members[method] !== 'function') throw expected(`${name} to have a method ${method}`, value)
    }
    return value as Value
  }
}

export function aBoolean(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value
  throw expected(`${name} to be true or false`, value)
}

export function oneOf<Text extends string>(...texts: readonly Text[]): Check<Text> {
  return (value, name) => {
    const found = texts.find((text) => text === value)
    if (found !== undefined) return found
    const quoted = texts.map((text) => `'${text}'`)
    throw expected(`${name} to be ${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`, value)
  }
}

/** A list of at least one of these. */
export function someOf<Text extends string>(...texts: readonly Text[]): Check<readonly Text[]> {
  const check = oneOf(...texts)
  return (value, name) => {
    if (!Array.isArray(value) || value.length === 0) throw expected(`${name} to be an array of at least one`, value)
    return value.map((entry: unknown) => check(entry, `each of ${name}`))
  }
}

/** The longest delay a Node timer takes. */
const maxNumber = 2_147_483_647

export function wholeNumber(from: number, to = maxNumber): Check<number> {
  return (value, name) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= from && value <= to) return value
    throw expected(`${name} to be a whole number from ${from} to ${to}`, value)
  }
}

/** `read` gives `undefined` for a text that is not `what`. */
export function listOf<Value>(what: string, read: (text: string) => Value | undefined): Check<readonly Value[]> {
  return (value, name) => {
    if (!Array.isArray(value)) throw expected(`${name} to be an array of strings`, value)
    return value.map((entry: unknown) => {
      const item = typeof entry === 'string' ? read(entry) : undefined
      if (item === undefined) throw expected(`each of ${name} to be ${what}`, entry)
      return item
    })
  }
}
