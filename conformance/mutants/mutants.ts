/** A mistake that an author could make, as a change of the source of the correct server. */
export interface Mutant {
  readonly name: string
  /** What its users would meet. */
  readonly effect: string
  /** In `doubles/`. */
  readonly file: string
  /** Occurs once. */
  readonly from: string
  readonly to: string
}

/** Written without a look at the doubles, which are one for each requirement: these are one for each kind of mistake. */
export const mutants: readonly Mutant[] = [
  {
    name: 'one-server-object-for-all',
    effect: 'The second client gets no session.',
    file: 'sessions.ts',
    from: 'const isSecond = existing && !this.#settings.stateless',
    to: 'const isSecond = this.#live.size + this.#ended.size > 0',
  },
  {
    name: 'body-is-read-twice',
    effect: 'A body parser has taken the body: the transport finds it empty.',
    file: 'body.ts',
    from: '  return Buffer.concat(chunks)\n',
    to: '  return Buffer.concat(chunks.slice(chunks.length))\n',
  },
  {
    name: 'session-goes-with-its-get-stream',
    effect: 'A client that reconnects finds its session gone.',
    file: 'endpoint.ts',
    from: '    session.standalone.attach(response, { isGet: true })\n',
    to: "    session.standalone.attach(response, { isGet: true })\n    response.once('close', () => this.#sessions.end(session))\n",
  },
  {
    name: 'ended-session-keeps-its-streams',
    effect: 'After DELETE the streams of the session stay open for ever.',
    file: 'sessions.ts',
    from: '    this.#ended.set(session.id, session)\n    session.end()\n',
    to: '    this.#ended.set(session.id, session)\n',
  },
  {
    name: 'streams-are-called-plain-text',
    effect: 'No client reads the stream as one.',
    file: 'sse.ts',
    from: "'content-type': 'text/event-stream',",
    to: "'content-type': 'text/plain; charset=utf-8',",
  },
  {
    name: 'events-lack-their-blank-line',
    effect: 'Clients join two events to one, and lose the last.',
    file: 'sse.ts',
    from: `\\n\${tail}\\n\${rest}\``,
    to: `\\n\${tail}\${rest}\``,
  },
  {
    name: 'data-is-printed-with-indents',
    effect: 'Raw line ends cut each message into fields that no client knows.',
    file: 'sse.ts',
    from: "JSON.stringify(defects.has('data-is-an-array') ? [message] : message)",
    to: 'JSON.stringify(message, null, 2)',
  },
  {
    name: 'event-ids-count-per-stream',
    effect: 'The same id stands for events of several streams: a resume brings another one.',
    file: 'session.ts',
    from: "name === 'fifth' || name === 'response' ? name : [tag, place.after, name].join(isSpaced ? ' ' : '.')",
    to: 'String(place.after)',
  },
  {
    name: 'replay-begins-one-too-early',
    effect: 'A client that resumes gets its last event again.',
    file: 'stream.ts',
    from: '    if (!this.isStandalone) return known\n',
    to: '    return Math.max(0, known - 1)\n',
  },
  {
    name: 'replay-begins-one-too-late',
    effect: 'A client that resumes never gets the first event that it missed.',
    file: 'stream.ts',
    from: '    if (!this.isStandalone) return known\n',
    to: '    return Math.min(known + 1, this.#log.length)\n',
  },
  {
    name: 'calls-are-looked-up-by-id-alone',
    effect: 'What a call sends reaches the client of another session whose call has the same id.',
    file: 'exchange.ts',
    from: 'if (!this.#isMisrouted(message)) this.#deliver(message)',
    to: '(this.#session.twinOf(this) ?? this).#deliver(message)',
  },
  {
    name: 'delete-takes-the-oldest-along',
    effect: 'A client that leaves ends the session of another.',
    file: 'sessions.ts',
    from: '    this.#live.delete(session.id)\n    this.#ended',
    to: '    this.#live.delete([...this.#live.keys()][0] ?? "")\n    this.#live.delete(session.id)\n    this.#ended',
  },
  {
    name: 'unknown-sessions-are-bad-requests',
    effect: 'Clients whose session has expired do not start anew.',
    file: 'sessions.ts',
    from: 'return new Refusal(isWrong ? 400 : 404,',
    to: 'return new Refusal(400,',
  },
  {
    name: 'origin-is-checked-on-post-only',
    effect: 'A foreign page can read the streams of a local server.',
    file: 'guard.ts',
    from: '  if (lines.length === 0) {\n    if (defects',
    to: "  if (request.method !== 'POST') return\n  if (lines.length === 0) {\n    if (defects",
  },
  {
    name: 'version-is-not-checked-on-get',
    effect: 'A client of an unknown revision gets a stream.',
    file: 'guard.ts',
    from: '  if (lines.length === 0) return checkMayBeAbsent(session, defects)\n',
    to: "  if (lines.length === 0 || request.method === 'GET') return checkMayBeAbsent(session, defects)\n",
  },
  {
    name: 'notifications-are-answered-with-a-body',
    effect: 'Clients wait for a message in answer to a notification, or fail to read it.',
    file: 'endpoint.ts',
    from: 'response.writeHead(isWrong ? 200 : 202, headers).end()',
    to: 'writeJson(response, 200, { ok: !isWrong, headers })',
  },
  {
    name: 'ids-become-text',
    effect: 'Clients that count their requests find no answer to any.',
    file: 'exchange.ts',
    from: "has('older-errors-have-no-id')) return rest\n  return message",
    to: "has('older-errors-have-no-id')) return rest\n  return { ...message, id: String(message.id) }",
  },
  {
    name: 'answers-are-sent-twice',
    effect: 'A client gets a response to a request that it has closed.',
    file: 'exchange.ts',
    from: "if (!isLast || !defects.has('late-progress-is-sent')) return stream.append(answer, isLast)",
    to: 'stream.append(answer)\n    return stream.append(answer, isLast)',
  },
  {
    name: 'progress-lacks-its-jsonrpc',
    effect: 'Clients that validate messages drop all progress.',
    file: 'tools.ts',
    from: "call.exchange.send({ jsonrpc: '2.0', method: 'notifications/progress', params })",
    to: "call.exchange.send({ method: 'notifications/progress', params } as never)",
  },
  {
    name: 'any-version-is-echoed',
    effect: 'A client of a later revision believes that the server speaks it.',
    file: 'sessions.ts',
    from: 'supportedVersions.includes(protocolVersion) ? protocolVersion : this.#otherThan(protocolVersion)',
    to: 'protocolVersion',
  },
  {
    name: 'cancellations-cross-sessions',
    effect: 'A client stops the call of another that has the same id.',
    file: 'session.ts',
    from: "defects.has('cancel-crosses-sessions') ? [this, ...this.#others] : [this]",
    to: '[this, ...this.#others]',
  },
  {
    name: 'any-session-may-answer',
    effect: 'One client answers what the server has asked another.',
    file: 'session.ts',
    from: "defects.has('answers-cross-sessions') ? this.#others.find(({ awaits }) => awaits(id)) : undefined",
    to: 'this.#others.find(({ awaits }) => awaits(id))',
  },
]
