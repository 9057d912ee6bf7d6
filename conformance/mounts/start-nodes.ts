import type { Backplane, Endpoint, Mountable } from '@throughline/mcp-http-core'
import type { Mounted } from './mount.ts'
import { createFixtureEndpoints, mountFixture, type StartOptions, sharedOptions } from './start.ts'

/** A backplane for one node, with connections of its own. */
export interface OpenBackplane {
  readonly backplane: Backplane
  close(): unknown
}

export interface StartNodesOptions extends StartOptions {
  readonly nodes: number
  /** Called for each node. */
  readonly open: () => OpenBackplane | Promise<OpenBackplane>
}

/** Nodes of one deployment, served. */
export interface RunningNodes {
  /** Each request goes to the next node. */
  readonly url: string
  /** The last node alone. */
  readonly secondUrl: string
  readonly endpoints: readonly Endpoint[]
  close(): Promise<void>
}

/** Serves the everything server from several nodes, behind what balances without looking at anything. */
export async function startNodes({ nodes, open, ...options }: StartNodesOptions): Promise<RunningNodes> {
  const opened = await Promise.all(Array.from({ length: nodes }, async () => await open()))
  const endpoints = createFixtureEndpoints(opened.map(({ backplane }) => ({ ...sharedOptions, ...options, backplane })))
  const [all, last] = await Promise.all([
    mountFixture(inTurn(endpoints), options),
    mountFixture(endpoints.at(-1) as Endpoint, options),
  ])
  return { url: all.url, secondUrl: last.url, endpoints, close: () => closeAll(endpoints, [all, last], opened) }
}

function inTurn(endpoints: readonly Endpoint[]): Mountable {
  const [first] = endpoints as readonly [Endpoint, ...Endpoint[]]
  let next = 0
  return {
    handle: (request) => (endpoints[next++ % endpoints.length] as Endpoint).handle(request),
    watch: first.watch,
    report: first.report,
    get closing() {
      return first.closing
    },
  }
}

async function closeAll(
  endpoints: readonly Endpoint[],
  mounted: readonly Mounted[],
  opened: readonly OpenBackplane[],
): Promise<void> {
  await Promise.all(endpoints.map((endpoint) => endpoint.close({ drainMs: 0 })))
  await Promise.all(mounted.map((each) => each.close()))
  await Promise.all(opened.map((each) => each.close()))
}
