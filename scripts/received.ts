/** One request and what was answered to it. */
interface Exchange {
  readonly request: string
  head: string
  /** Text of the event stream, when it is one. */
  events: string
  /** How it ended, with the body when it is no event stream. */
  end: string
}

/** What one check receives, as its transcript tells it line by line. */
export class Received {
  /** Lines so far. */
  size = 0
  /** Several event streams were open at once, so that the order of their events is a matter of time. */
  interleaved = false
  readonly #exchanges = new Map<string, Exchange>()
  readonly #raw: string[] = []

  add(line: string): void {
    this.size += 1
    const [, arrow, name = '', rest = ''] = /^([→←]) (#\d+ [^\s:]+|raw):? (.*)$/s.exec(line) ?? []
    if (name === 'raw') this.#raw.push(`${arrow} raw ${rest}`)
    else if (arrow === '→') this.#exchanges.set(name, toExchange(name, rest))
    else this.#receive(name, rest)
  }

  /** Whether an answer is on its way that ends by itself. */
  get isWaiting(): boolean {
    return [...this.#exchanges.values()].some(({ head, end }) => head !== '' && end === '' && !isStream(head))
  }

  /** Each exchange in the order in which they began, then what was read from raw connections. */
  toTexts(): string[] {
    return [...[...this.#exchanges.values()].map(toText), ...this.#raw]
  }

  #receive(name: string, rest: string): void {
    const exchange = this.#exchanges.get(name)
    if (exchange === undefined) return
    if (exchange.head === '') {
      exchange.head = rest
      const open = [...this.#exchanges.values()].filter(({ head, end }) => isStream(head) && end === '')
      this.interleaved ||= open.length > 1
    } else if (rest.startsWith('"')) exchange.events += JSON.parse(rest)
    else exchange.end = rest
  }
}

/** Without the headers: they are the check's. */
function toExchange(name: string, rest: string): Exchange {
  const [path = ''] = rest.split(' ', 1)
  const [body = ''] = /(?<= )(\{"|\[\{).*$/s.exec(rest) ?? []
  return { request: `${name.replace(/^#\d+ /, '')} ${path} ${body}`.trimEnd(), head: '', events: '', end: '' }
}

function isStream(head: string): boolean {
  return head.includes('text/event-stream')
}

/** Event by event, however they were cut into chunks. */
function toText({ request, head, events, end }: Exchange): string {
  const blocks = events === '' ? [] : events.split(/(?<=\n\n)/).map((block) => JSON.stringify(block))
  const answer = [head, ...blocks, end].filter((line) => line !== '')
  return [`→ ${request}`, ...answer.map((line) => `← ${line}`)].map((line) => line.replaceAll('\n', '\\n')).join('\n')
}
