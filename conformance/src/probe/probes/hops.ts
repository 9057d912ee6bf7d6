import { type Judgement, note, ok } from '../finding.ts'
import { namingHeaders } from '../hops.ts'
import type { Wire } from '../wire.ts'

/** Until 1.29.7 nginx spoke HTTP/1.0 to the server unless told otherwise. */
const oldNginx = /nginx(?:\/1\.(?:[0-9]|1[0-9]|2[0-8])\.|\/1\.29\.[0-6]\b|$|[^/])/i

/** What names itself in the headers of an answer. */
export async function probeHops({ first, greeting }: Wire): Promise<Judgement> {
  const headers = namingHeaders(first)
  if (headers.length === 0) return ok(`No header of the answer to ${greeting.method} names a proxy.`)
  const seen = `The answer to ${greeting.method} has ${headers.join('; ')}.`
  if (!oldNginx.test(first.header('server') ?? '')) return note(seen)
  return note(
    seen,
    'nginx before 1.29.7 speaks HTTP/1.0 to the server unless it is told otherwise. Whether it was cannot be seen from here: with HTTP/1.0, a server that dies in the middle of an event stream looks to clients like one that is done, and each request costs a new connection.',
  )
}
