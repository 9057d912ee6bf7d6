import { createEventIdCodec } from '../../../packages/core/src/stream/event-id.ts'
import { SseReader } from '../../clients/sse.ts'

/** A request of the official client, as it was sent. */
export interface Sent {
  readonly method: string
  readonly body: string
  readonly lastEventId: string | null
  /** Whether the node that it went to has ended since. */
  readonly hasNodeEnded: () => boolean
}

interface Call {
  readonly id: unknown
  isAnswered: boolean
  /** Why the client has no way back to the answer, though nobody left it hanging. */
  excuse: string | undefined
}

const codec = createEventIdCodec()

/**
 * What went over the wire for the calls of an official client. It says of a call that ran into its time-out only that
 * nothing came: whether it could still have come, or the node that was to give it an id to come back with was gone, its
 * connections show.
 */
export class CallTraffic {
  readonly #note: (text: string) => void
  readonly #byStream = new Map<string, Call>()
  #newest: Call | undefined

  constructor(note: (text: string) => void) {
    this.#note = note
  }

  /** Of the call that was made last: why no answer could reach its client any more; `undefined`: one could have. */
  get excuse(): string | undefined {
    return this.#newest?.isAnswered ? undefined : this.#newest?.excuse
  }

  /** The response as its client gets it. */
  watch(sent: Sent, response: Response): Response {
    const call = this.#callOf(sent)
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false
    if (call === undefined || !isStream || response.body === null) return response
    const { status, headers } = response
    return new Response(ReadableStream.from(this.#read(response.body, call, sent)), { status, headers })
  }

  #callOf({ method, body, lastEventId }: Sent): Call | undefined {
    if (lastEventId !== null) return this.#byStream.get(codec.decode(lastEventId)?.streamTag ?? '')
    if (method !== 'POST') return undefined
    const message = JSON.parse(body) as { readonly id?: unknown; readonly method?: string }
    if (message.id === undefined || message.method === undefined) return undefined
    this.#newest = { id: message.id, isAnswered: false, excuse: undefined }
    return this.#newest
  }

  async *#read(body: ReadableStream<Uint8Array>, call: Call, sent: Sent): AsyncGenerator<Uint8Array> {
    let lastId: string | undefined
    const reader = new SseReader(
      ({ id, data }) => {
        lastId = id ?? lastId
        if (id !== undefined) this.#byStream.set(codec.decode(id)?.streamTag ?? '', call)
        if (isAnswer(data, call.id)) call.isAnswered = true
      },
      () => undefined,
    )
    const what = `${sent.method} ${sent.lastEventId ?? `call ${call.id}`}`
    try {
      for await (const chunk of body) {
        reader.push(chunk)
        yield chunk
      }
      this.#note(`${what}: ended at ${lastId ?? 'no id'}`)
    } catch (error) {
      const hasEnded = sent.hasNodeEnded()
      this.#note(`${what}: broke at ${lastId ?? 'no id'}, its node ${hasEnded ? 'has ended' : 'lives'}: ${error}`)
      // Its client comes back with the last id of this connection only, even where it came with one.
      if (lastId === undefined && hasEnded) {
        call.excuse = `timed out, its node ended before ${sent.lastEventId === null ? 'the first' : 'the next'} id`
      }
      throw error
    }
  }
}

function isAnswer(data: string, id: unknown): boolean {
  if (data === '') return false
  const message = JSON.parse(data) as { readonly id?: unknown; readonly method?: string }
  return message.id === id && message.method === undefined
}
