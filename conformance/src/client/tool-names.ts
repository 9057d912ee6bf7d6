/** What is wrong with each of these tool names (Tool Names, 2025-11-25 and later). */
export function problemsOfNames(names: readonly string[]): string[] {
  return names.flatMap((name) => {
    if (name.length < 1 || name.length > 128)
      return [`${JSON.stringify(name.slice(0, 40))} has ${name.length} characters`]
    const others = /[^A-Za-z0-9_.-]/u.exec(name)
    return others === null ? [] : [`${JSON.stringify(name)} has ${JSON.stringify(others[0])}`]
  })
}

/** Names that come more than once. */
export function repeatedIn(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))]
}
