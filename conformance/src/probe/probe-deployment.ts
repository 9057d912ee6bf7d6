import { type HeaderChanges, HttpClient } from '../client/http.ts'
import { Transcript } from '../client/transcript.ts'
import type { RoleTools } from '../roles.ts'
import { advice, changesFor } from './advice.ts'
import { discover } from './discover.ts'
import { type Entry, enter } from './enter.ts'
import {
  type DeploymentReport,
  type Finding,
  type FindingId,
  findingIds,
  type HopName,
  type Judgement,
  ok,
  problem,
  untestable,
} from './finding.ts'
import { legacyGreeting } from './greeting.ts'
import { probeAffinity } from './probes/affinity.ts'
import { probeBodySize } from './probes/body-size.ts'
import { probeBuffering } from './probes/buffering.ts'
import { probeCompression } from './probes/compression.ts'
import { askFromElsewhere, judgeCors, judgeOrigin } from './probes/cross-origin.ts'
import { probeHops } from './probes/hops.ts'
import { mayBeOfTheHost, probeHost } from './probes/host.ts'
import { judgeHttpVersion } from './probes/http-version.ts'
import { probeIdle } from './probes/idle.ts'
import { probeLastEventId } from './probes/last-event-id.ts'
import { judgeSteps, probeRedirects } from './probes/redirects.ts'
import { probeSessionIdToClient, probeSessionIdToServer } from './probes/session-header.ts'
import { describeHandshakeError, type Handshake, judgePlain, judgeTls, shakeHands } from './probes/tls.ts'
import { probeVersionHeader } from './probes/version-header.ts'
import type { Wire } from './wire.ts'

export interface ProbeDeploymentOptions {
  readonly url: URL | string
  /**
   * How long a silent stream is watched, in milliseconds. The probe takes as long, or a few seconds if that is more.
   * @default 5_000
   */
  readonly idleMs?: number
  /** Tools that play roles, where the server's own names do not say it: `progress` is the one that counts. */
  readonly tools?: RoleTools
  /** Bearer token that every request carries. */
  readonly token?: string
  /** Sent with every request. */
  readonly headers?: HeaderChanges
  /**
   * Limit for each answer, in milliseconds.
   * @default 5_000
   */
  readonly timeoutMs?: number
  /** Ends the probe: its promise is then rejected with the reason. */
  readonly signal?: AbortSignal
  /** Called with each finding as soon as it is there, in the order in which they come. */
  readonly onFinding?: (finding: Finding) => void
}

const defaultIdleMs = 5_000
const defaultTimeoutMs = 5_000

/**
 * Finds out what stands between a client and the MCP server at `url`, and what it does to the transport. Read-only: it
 * opens about a dozen sessions, and ends them. A server that cannot be reached is a finding, not an error.
 */
export async function probeDeployment(options: ProbeDeploymentOptions): Promise<DeploymentReport> {
  const { signal, timeoutMs = defaultTimeoutMs } = options
  signal?.throwIfAborted()
  const url = new URL(options.url)
  const startedAt = new Date()
  const client = new HttpClient(url, new Transcript(), { headers: toHeaders(options) })
  const run = new Run(options)
  const handshake = await run.shakeHands(url, timeoutMs)
  const abort = () => client.close()
  signal?.addEventListener('abort', abort)
  try {
    const entry = await enter(client, timeoutMs)
    signal?.throwIfAborted()
    await run.probe(entry, handshake)
  } finally {
    signal?.removeEventListener('abort', abort)
    client.close()
  }
  const findings = findingIds.flatMap((id) => run.findings.get(id) ?? [])
  const durationMs = Date.now() - startedAt.getTime()
  return { version: 1, url: url.href, startedAt: startedAt.toISOString(), durationMs, findings }
}

function toHeaders({ token, headers = {} }: ProbeDeploymentOptions): HeaderChanges {
  return token === undefined ? headers : { Authorization: `Bearer ${token}`, ...headers }
}

/** One run: asks the probes one by one, and collects what they find. */
class Run {
  readonly findings = new Map<FindingId, Finding>()
  readonly #options: ProbeDeploymentOptions
  #named: readonly HopName[] = []

  constructor(options: ProbeDeploymentOptions) {
    this.#options = options
  }

  async shakeHands(url: URL, timeoutMs: number): Promise<Handshake | undefined> {
    if (url.protocol !== 'https:') {
      this.#add('tls', judgePlain(url))
      return undefined
    }
    try {
      const handshake = await shakeHands(url, timeoutMs)
      this.#add('tls', judgeTls(handshake))
      return handshake
    } catch (error) {
      this.#add('tls', describeHandshakeError(error))
      return undefined
    }
  }

  async probe(entry: Entry, handshake: Handshake | undefined): Promise<void> {
    const { reached, seen } = entry
    if (reached === undefined) {
      this.#add('reach', problem(seen))
      await this.#lookAtRefusal(entry)
      for (const id of findingIds) if (!this.findings.has(id)) this.#add(id, untestable('No MCP server was reached.'))
      return
    }
    const { timeoutMs = defaultTimeoutMs, idleMs = defaultIdleMs, tools, signal } = this.#options
    const wire = await discover(entry.client, reached, { timeoutMs, idleMs, tools })
    const abort = () => wire.client.close()
    signal?.addEventListener('abort', abort)
    this.#named = wire.hops
    this.#add('reach', ok(seen))
    this.#add('host', ok(`The server was asked for ${wire.client.host}.`))
    try {
      await this.#probeAll(wire, { entry, handshake })
    } finally {
      signal?.removeEventListener('abort', abort)
      await wire.close()
      entry.client.close()
    }
  }

  /** What can be said of a way that leads to no MCP server. */
  async #lookAtRefusal({ client, steps, refused }: Entry): Promise<void> {
    if (steps.length > 0) this.#add('redirects', judgeSteps(steps))
    if (refused === undefined || !mayBeOfTheHost(refused)) return
    const { timeoutMs = defaultTimeoutMs } = this.#options
    const refusal = { client, greeting: legacyGreeting, exchange: refused, timeoutMs }
    await this.#ask('host', () => probeHost(refusal))
  }

  async #probeAll(wire: Wire, { entry, handshake }: { entry: Entry; handshake: Handshake | undefined }): Promise<void> {
    // Takes the longest, and nearly all of it is waiting: the others run meanwhile.
    const idle = this.#ask('idle', () => probeIdle(wire))
    // When another probe throws first, as it does once the run is aborted, nobody waits for it any more.
    idle.catch(() => undefined)
    await this.#ask('http-version', async () => judgeHttpVersion(wire, handshake))
    await this.#ask('redirects', () => probeRedirects(wire, entry.steps))
    await this.#ask('hops', () => probeHops(wire))
    await this.#ask('session-id-to-client', () => probeSessionIdToClient(wire))
    await this.#ask('session-id-to-server', () => probeSessionIdToServer(wire))
    await this.#ask('version-header', () => probeVersionHeader(wire))
    await this.#ask('last-event-id', () => probeLastEventId(wire))
    await this.#askFromElsewhere(wire)
    await this.#ask('affinity', () => probeAffinity(wire))
    await this.#ask('buffering', () => probeBuffering(wire))
    await this.#ask('compression', () => probeCompression(wire))
    await this.#ask('body-size', () => probeBodySize(wire))
    await idle
  }

  async #askFromElsewhere(wire: Wire): Promise<void> {
    const asked = askFromElsewhere(wire)
    await this.#ask('origin', async () => judgeOrigin(wire, await asked))
    await this.#ask('cors', async () => judgeCors(wire, await asked))
  }

  /** What goes wrong in one probe is no reason to leave the others out. */
  async #ask(id: FindingId, probe: () => Promise<Judgement>): Promise<void> {
    const { signal } = this.#options
    signal?.throwIfAborted()
    const judgement = await probe().catch((error: unknown) => {
      signal?.throwIfAborted()
      return untestable(`The probe could not be completed: ${error instanceof Error ? error.message : String(error)}.`)
    })
    signal?.throwIfAborted()
    this.#add(id, judgement)
  }

  #add(id: FindingId, { verdict, seen, means }: Judgement): void {
    const needsChange = verdict === 'problem' || verdict === 'note'
    const finding: Finding = {
      id,
      title: advice[id].title,
      verdict,
      seen,
      means: needsChange ? (means ?? advice[id].means) : '',
      changes: needsChange ? changesFor(id, this.#named) : [],
    }
    this.findings.set(id, finding)
    this.#options.onFinding?.(finding)
  }
}
