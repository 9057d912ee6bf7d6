/** A mistake that an author of a server could make, as a change of the source of the correct one. */
export interface Mutant {
  readonly name: string
  /** What a user of the server would see. */
  readonly symptom: string
  /** In `doubles/`. */
  readonly file: string
  /** Occurs there exactly once. */
  readonly from: string
  readonly to: string
  /** The specification says SHOULD not: it is caught with `--strict`. */
  readonly isDiscouraged?: boolean
}

/**
 * None of them asks for a defect: a double breaks one rule and is made for one requirement, these are made for none, and
 * break whatever such a mistake breaks.
 */
export const mutants: readonly Mutant[] = [
  {
    name: 'one-transport-for-all-sessions',
    symptom: 'The first client works. Every other is told that the server is initialized already.',
    file: 'sessions.ts',
    from: 'const isSecond = existing && !this.#settings.stateless',
    to: 'const isSecond = this.#live.size + this.#ended.size > 0',
  },
  {
    name: 'body-read-twice-in-a-session',
    symptom: 'Who may use a session is looked up in the body, and then nothing of it is left: only initialize works.',
    file: 'endpoint.ts',
    from: '      const body = readBody(request, this.#settings)\n',
    to: '      if (session) await readBody(request, this.#settings)\n      const body = readBody(request, this.#settings)\n',
  },
  {
    name: 'session-forgotten-with-its-streams-open',
    symptom: 'After DELETE the streams of the session stay open, and its calls go on.',
    file: 'sessions.ts',
    from: '    this.#ended.set(session.id, session)\n    session.end()\n',
    to: '    this.#ended.set(session.id, session)\n',
  },
  {
    name: 'stream-with-the-type-of-json',
    symptom: 'Clients parse the event stream as one JSON value.',
    file: 'sse.ts',
    from: "'content-type': 'text/event-stream',",
    to: "'content-type': 'application/json',",
  },
  {
    name: 'blank-line-between-events-only',
    symptom: 'Each event is seen when the next one comes, and the last, which is the answer, never.',
    file: 'sse.ts',
    from: `\`\${comment}\${type}\${wrongId}id: \${id}\\ndata: \${toText(data, defects)}\\n\${tail}\\n\${rest}\``,
    to: `\`\\n\${comment}\${type}\${wrongId}id: \${id}\\ndata: \${toText(data, defects)}\\n\${tail}\${rest}\``,
  },
  {
    name: 'data-over-several-raw-lines',
    symptom: 'Messages are printed with indents: of each the client has the first brace.',
    file: 'sse.ts',
    from: "JSON.stringify(defects.has('data-is-an-array') ? [message] : message)",
    to: 'JSON.stringify(message, null, 2)',
  },
  {
    name: 'event-ids-without-their-stream',
    symptom: 'Ids count from 1 on every stream of a session: a resume brings the stream that was numbered last.',
    file: 'session.ts',
    from: "name === 'fifth' || name === 'response' ? name : [tag, place.after, name].join(isSpaced ? ' ' : '.')",
    to: 'String(place.after)',
  },
  {
    name: 'event-ids-restart-after-a-resume',
    symptom: 'Each connection counts its own events: whoever resumes twice gets again what it has.',
    file: 'stream.ts',
    from: '    const text = toEvent(event.id, event.message, this.#settings, this.isStandalone)\n',
    to: `    const isLive = connection.replaysTo > 0 && index >= connection.replaysTo
    const restarted = { stream: this, after: index - connection.replaysTo + 1 }
    const eventId = isLive ? this.#session.nameEvent(restarted, this.tag, 'live') : event.id
    const text = toEvent(eventId, event.message, this.#settings, this.isStandalone)\n`,
  },
  {
    name: 'answer-on-the-get-stream',
    symptom: 'With a GET open, the answer comes there, and the stream of the call ends without one.',
    file: 'exchange.ts',
    from: '    } else if (this.#stream) this.#answerOnStream(this.#stream, answer, isLast)\n',
    to: `    } else if (this.#stream && this.#session.standalone.isConnected) {
      this.#session.standalone.append(answer)
      this.#stream.end()
    } else if (this.#stream) this.#answerOnStream(this.#stream, answer, isLast)\n`,
  },
  {
    name: 'answer-twice-on-its-stream',
    symptom: 'A client gets a second response to a request that it has closed.',
    file: 'exchange.ts',
    from: "    if (!isLast || !defects.has('late-progress-is-sent')) return stream.append(answer, isLast)\n",
    to: '    stream.append(answer)\n    return stream.append(answer, isLast)\n',
  },
  {
    name: 'nothing-kept-while-nobody-reads',
    symptom: 'What a call sends while its client reconnects is lost; its answer is not.',
    file: 'stream.ts',
    from: '    if (this.#hasEnded) return\n    if (this.#settings',
    to: '    if (this.#hasEnded || (this.#hasConnected && !this.isConnected && !isLast)) return\n    if (this.#settings',
  },
  {
    name: 'answer-forgotten-once-written',
    symptom: 'Who loses the connection while the answer is on its way comes back to a stream that ends without one.',
    file: 'stream.ts',
    from: '    this.#hasEnded = isLast\n    this.#makeRoom()\n    this.#pump()\n',
    to: '    this.#hasEnded = isLast\n    this.#makeRoom()\n    this.#pump()\n    if (isLast && this.#written === this.#log.length) this.#log[this.#log.length - 1] = undefined\n',
  },
  {
    name: 'calls-looked-up-by-id-alone',
    symptom: 'Two clients that both count from 1 get the progress of each other.',
    file: 'exchange.ts',
    from: 'if (!this.#isMisrouted(message)) this.#deliver(message)',
    to: 'const owner = this.#session.twinOf(this) ?? this\n    owner.#deliver(message)',
  },
  {
    name: 'delete-ends-all-sessions-of-a-user',
    symptom: 'A client that leaves takes all others of its user along; without tokens everybody is the same user.',
    file: 'sessions.ts',
    from: '    session.end()\n  }\n\n  endAll',
    to: `    session.end()
    const { owner } = session.handshake
    for (const other of this.#live.values()) if (other.handshake.owner === owner) this.end(other)
  }\n\n  endAll`,
  },
  {
    name: 'unknown-session-is-a-bad-request',
    symptom: 'Clients whose session has expired do not start anew.',
    file: 'sessions.ts',
    from: 'return new Refusal(isWrong ? 400 : 404,',
    to: 'return new Refusal(400,',
  },
  {
    name: 'origin-checked-on-post-only',
    symptom: 'A page of any site can listen to a server on the machine of its reader, and end sessions.',
    file: 'guard.ts',
    from: '  if (!isOriginDeferred(request, settings)) checkOrigin(request, settings)\n',
    to: "  if (request.method === 'POST' && !isOriginDeferred(request, settings)) checkOrigin(request, settings)\n",
  },
  {
    name: 'answer-with-its-id-as-text',
    symptom: 'Clients that count their requests find the answer of none.',
    file: 'exchange.ts',
    from: "has('older-errors-have-no-id')) return rest\n  return message\n",
    to: "has('older-errors-have-no-id')) return rest\n  return { ...message, id: String(id) }\n",
  },
  {
    name: 'stream-goes-on-after-the-answer',
    symptom: 'Every call leaves a connection open.',
    file: 'stream.ts',
    from: '    this.#hasEnded = isLast\n',
    to: '    this.#hasEnded = false\n',
    isDiscouraged: true,
  },
  {
    name: 'tools-registered-with-each-list',
    symptom: 'The list of tools has one more of the same name each time that it is asked for.',
    file: 'mcp.ts',
    from: "  if (!defects.has('tools-lack-their-schema')) return { tools: toolList }\n",
    to: `  if (!defects.has('tools-lack-their-schema')) {
    toolList.push(...toolList.slice(0, 1))
    return { tools: [...toolList] }
  }\n`,
  },
  {
    name: 'log-message-of-another-json-rpc',
    symptom: 'Clients that validate messages break off at the first log message.',
    file: 'tools.ts',
    from: "  return { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } }\n",
    to: "  return { jsonrpc: '1.0', method: 'notifications/message', params: { level: 'info', data } } as never\n",
  },
  {
    name: 'head-of-get-with-its-first-event',
    symptom: 'A client that listens waits for a head until the server has something to say.',
    file: 'stream.ts',
    from: `        response.flushHeaders()
      },
      () => response.write(toPreamble({ primingId, isGet }, this.#settings)),\n`,
    to: `        if (!isGet) response.flushHeaders()
      },
      () => isGet || response.write(toPreamble({ primingId, isGet }, this.#settings)),\n`,
  },
  {
    name: 'body-is-read-twice',
    symptom: 'A body parser has taken the body: the transport finds it empty.',
    file: 'body.ts',
    from: '  return Buffer.concat(chunks)\n',
    to: '  return Buffer.concat(chunks.slice(chunks.length))\n',
  },
  {
    name: 'session-goes-with-its-get-stream',
    symptom: 'A client that reconnects finds its session gone.',
    file: 'endpoint.ts',
    from: '    session.standalone.attach(response, { isGet: true })\n',
    to: "    session.standalone.attach(response, { isGet: true })\n    response.once('close', () => this.#sessions.end(session))\n",
  },
  {
    name: 'streams-are-called-plain-text',
    symptom: 'No client reads the stream as one.',
    file: 'sse.ts',
    from: "'content-type': 'text/event-stream',",
    to: "'content-type': 'text/plain; charset=utf-8',",
  },
  {
    name: 'replay-begins-one-too-early',
    symptom: 'A client that resumes gets its last event again.',
    file: 'stream.ts',
    from: '    if (!this.isStandalone) return known\n',
    to: '    return Math.max(0, known - 1)\n',
  },
  {
    name: 'replay-begins-one-too-late',
    symptom: 'A client that resumes never gets the first event that it missed.',
    file: 'stream.ts',
    from: '    if (!this.isStandalone) return known\n',
    to: '    return Math.min(known + 1, this.#log.length)\n',
  },
  {
    name: 'version-is-not-checked-on-get',
    symptom: 'A client of an unknown revision gets a stream.',
    file: 'guard.ts',
    from: '  if (lines.length === 0) return checkMayBeAbsent(session, defects)\n',
    to: "  if (lines.length === 0 || request.method === 'GET') return checkMayBeAbsent(session, defects)\n",
  },
  {
    name: 'notifications-are-answered-with-a-body',
    symptom: 'Clients wait for a message in answer to a notification, or fail to read it.',
    file: 'endpoint.ts',
    from: 'response.writeHead(isWrong ? 200 : 202, headers).end()',
    to: 'writeJson(response, 200, { ok: !isWrong, headers })',
  },
  {
    name: 'progress-lacks-its-jsonrpc',
    symptom: 'Clients that validate messages drop all progress.',
    file: 'tools.ts',
    from: "call.exchange.send({ jsonrpc: '2.0', method: 'notifications/progress', params })",
    to: "call.exchange.send({ method: 'notifications/progress', params } as never)",
  },
  {
    name: 'any-version-is-echoed',
    symptom: 'A client of a later revision believes that the server speaks it.',
    file: 'sessions.ts',
    from: 'supportedVersions.includes(protocolVersion) ? protocolVersion : this.#otherThan(protocolVersion)',
    to: 'protocolVersion',
  },
  {
    name: 'cancellations-cross-sessions',
    symptom: 'A client stops the call of another that has the same id.',
    file: 'session.ts',
    from: "defects.has('cancel-crosses-sessions') ? [this, ...this.#others] : [this]",
    to: '[this, ...this.#others]',
  },
  {
    name: 'any-session-may-answer',
    symptom: 'One client answers what the server has asked another.',
    file: 'session.ts',
    from: "defects.has('answers-cross-sessions') ? this.#others.find(({ awaits }) => awaits(id)) : undefined",
    to: 'this.#others.find(({ awaits }) => awaits(id))',
  },
]
