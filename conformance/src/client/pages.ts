import { isObject, type Json, type Message } from './json-rpc.ts'

/** A server that always has a next page ends no check. */
const mostPages = 100

/** The entries of a list, page by page; none for a server that has no such list. */
export async function entriesOf(member: string, ask: (params: Json) => Promise<Message>): Promise<Json[]> {
  const found: Json[] = []
  let cursor: unknown
  for (let page = 0; page < mostPages; page++) {
    const { result } = await ask(cursor === undefined ? {} : { cursor })
    const entries: unknown = result?.[member]
    found.push(...(Array.isArray(entries) ? entries : []).filter(isObject))
    cursor = result?.nextCursor
    if (typeof cursor !== 'string') break
  }
  return found
}
